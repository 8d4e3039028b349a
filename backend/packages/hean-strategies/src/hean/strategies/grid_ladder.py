"""A ladder of rungs around a fixed anchor: prices, what each rung holds, and what the life earned.

Prices are geometric: the ladder of a mirrored market is the mirrored ladder. Quantities are in base
coin, money in the quote coin.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

NEAREST = 3
"""How many rungs a side are quoted at once."""
STOP_STEPS = 1.5
"""The protective stop lies this many steps beyond the outermost rung, the kill one step."""
_DUST = 1e-9


class RungState(StrEnum):
    """What a rung does: nothing, rest, hold without a target, hold with its target at work."""

    IDLE = "idle"
    ARMED = "armed"
    FILLED = "filled"
    TARGET_ARMED = "target armed"


class Rung(msgspec.Struct, kw_only=True):
    """One price level: `sign` 1 buys below the anchor, -1 sells above it."""

    sign: int
    number: int
    price: float
    target: float
    held: float = 0.0
    aimed: float = 0.0
    """The part of `held` whose targets are at work."""
    orders: list[str] = msgspec.field(default_factory=lambda: list[str]())
    """Its entry orders that have not ended."""
    is_counted: bool = False
    """Whether its present arming was counted as an order of the day."""

    @property
    def state(self) -> RungState:
        if self.held > _DUST:
            return RungState.TARGET_ARMED if self.aimed > _DUST else RungState.FILLED
        return RungState.ARMED if self.orders else RungState.IDLE

    @property
    def unaimed(self) -> float:
        """What it holds without a target at work."""
        return self.held - self.aimed


class Aim(msgspec.Struct, kw_only=True):
    """A reduce-only target at work: of which rung, and how much of it is left."""

    signal_id: str
    order_id: str
    rung: int
    left: float


class Ladder(msgspec.Struct, kw_only=True):
    """One grid life: built once, wound down once, judged as a whole."""

    anchor: float
    step_bp: float
    born: int
    cap: int
    rungs: list[Rung]
    low: float
    high: float
    """Beyond `low` and `high` the life ends."""
    stops: tuple[float, float]
    """The protective stops of what is bought and of what is sold."""
    strength: float = 0.0
    quality: float = 1.0
    """u and the quality of the data when it was built: one life, one size."""
    cash: float = 0.0
    inventory: float = 0.0
    clip: float = 0.0
    """The largest order that filled."""
    fills: int = 0
    published: int = 0
    killed_at: int = 0
    reason: str = ""
    is_swept: bool = False
    """Whether resting targets were cancelled although nothing was left to close."""

    @property
    def is_flat(self) -> bool:
        return all(one.held <= _DUST for one in self.rungs)

    def worth(self, mid: float) -> float:
        """Return what the life has earned so far, fees paid, with the inventory at `mid`."""
        return self.cash + self.inventory * mid

    @property
    def largest_loss(self) -> float:
        """A full one-sided ladder at its kill: 1 + 2 + ... + cap steps of a clip."""
        steps = self.cap * (self.cap + 1) / 2.0
        return steps * self.step_bp / 1e4 * self.anchor * self.clip

    def share_of_budget(self, rungs: int) -> float:
        """Return the scale of so many rungs that makes each a clip of budget / (2 cap).

        The gate shares what the inventory leaves of the budget among the rungs declared.
        """
        held = abs(self.inventory) / self.clip if self.clip else 0.0
        return min(1.0, rungs / max(1.0, 2.0 * self.cap - held))

    def rung_of(self, order_id: str) -> Rung | None:
        """Return the rung behind an entry order, if it is one."""
        return next((one for one in self.rungs if order_id in one.orders), None)

    def book(self, sign: int, quantity: float, price: float, fee: float) -> None:
        """Take an own fill into cash and inventory."""
        self.inventory += sign * quantity
        self.cash -= sign * quantity * price + fee

    def wanted(self, bid: float, ask: float) -> list[Rung]:
        """Return the nearest rungs of each side that rest or may rest now, within the cap."""
        chosen: list[Rung] = []
        for sign in (1, -1):
            side = [
                one
                for one in self.rungs
                if one.sign == sign and (one.orders or _may_rest(one, bid, ask))
            ]
            room = self.cap * self.clip - self.inventory * sign
            most = NEAREST if not self.clip else min(NEAREST, int(room / self.clip + 1e-6))
            chosen += side[: max(0, most)]
        return chosen


def _may_rest(rung: Rung, bid: float, ask: float) -> bool:
    if rung.held > _DUST:
        return False
    return rung.price < ask if rung.sign > 0 else rung.price > bid


def build_ladder(anchor: float, step_bp: float, cap: int, now: int) -> Ladder:
    """Return a fresh ladder of `cap` rungs a side around `anchor`."""
    factor = 1.0 + step_bp / 1e4
    powers = [1.0]
    for _ in range(cap + 1):
        powers.append(powers[-1] * factor)
    rungs = [
        Rung(sign=sign, number=number, price=_at(anchor, powers[number], sign),
             target=_at(anchor, powers[number - 1], sign))
        for sign in (1, -1)
        for number in range(1, cap + 1)
    ]  # fmt: skip
    far = powers[cap] * (1.0 + STOP_STEPS * step_bp / 1e4)
    return Ladder(
        anchor=anchor,
        step_bp=step_bp,
        born=now,
        cap=cap,
        rungs=rungs,
        low=anchor / powers[cap + 1],
        high=anchor * powers[cap + 1],
        stops=(anchor / far, anchor * far),
    )


def _at(anchor: float, power: float, sign: int) -> float:
    return anchor / power if sign > 0 else anchor * power


def step_size_bp(least_bp: float, maker_bp: float, sigma_bp: float) -> float:
    """Return g = max(least, 4 maker fees + 4 bp, 0.8 deviations of one half-life)."""
    return max(least_bp, 4.0 * maker_bp + 4.0, 0.8 * sigma_bp)
