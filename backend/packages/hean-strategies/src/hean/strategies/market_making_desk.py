"""What a market maker knows of one symbol, and the pair of quotes that follows from it."""

from __future__ import annotations

from math import nan

import msgspec
from pydantic import Field

from hean.core.events import OrderStyle, PlanFault, Quote
from hean.strategies.base import StrategySection
from hean.strategies.decisions import Plan, fee_bp
from hean.strategies.desk import may_open_short, micro_bp, mid
from hean.strategies.pace import SECOND_NS
from hean.strategies.quote_model import Intensity, half_spread_bp
from hean.strategies.quote_proof import QuoteProof
from hean.strategies.quoting import MakerDesk
from hean.strategies.spec import INVENTORY_NEUTRAL_MM, tunable
from hean.strategies.windows import Average

INTERVAL_NS = 30 * SECOND_NS
"""How often a cycle may begin, and how long a quote rests."""
PULL_Z = 2.0
"""Order flow in its own noise from which nothing is quoted."""
LEAST_LOSS_BP = 50.0
LOSS_HALVES = 3.0
_NOISE_HALF_LIFE = 1800.0
_STOP_MARGIN = 1.5
"""How much farther the venue's stop lies than the loss at which the strategy leaves itself."""


class MarketMakingSettings(StrategySection):
    """Tunables of InventoryNeutralMM; all are starting values."""

    gamma: float = tunable(INVENTORY_NEUTRAL_MM, "gamma", 0.1)
    """Aversion to inventory per bp and clip, 0.001 to 1."""
    inventory_clips: float = tunable(INVENTORY_NEUTRAL_MM, "inventory_clips", 4)
    """Most clips held, 2 to 6; from one less it only quotes what reduces."""
    ofi_z: float = tunable(INVENTORY_NEUTRAL_MM, "ofi_z", 1)
    """Order flow of 30 s in its own noise from which only the safe side is quoted, 0.5 to 2."""
    half_max_bp: float = tunable(INVENTORY_NEUTRAL_MM, "half_max_bp", 15)
    """Widest half-spread in bp, 8 to 25."""
    micro_share: float = Field(default=0.5, ge=0.0, le=1.0)
    """Share of the weighted mid's distance from mid that is believed where no table is fitted."""
    assumed_adverse_bp: float = Field(default=1.0, ge=0.0, le=10.0)
    """Adverse selection of a fill in bp until own fills measure it."""


class MarketMakingDesk(MakerDesk, kw_only=True):
    """Model and inventory of one symbol: distances in bp of mid, sizes in base coin."""

    intensity: Intensity = msgspec.field(default_factory=Intensity)
    terms: tuple[float, float] = (nan, nan)
    flow_noise: Average = msgspec.field(default_factory=lambda: Average(half_life=_NOISE_HALF_LIFE))
    flow_z: float = nan
    flow_bp: float = nan
    """What order flow says of the next seconds, constant inside a second."""
    half: float = nan
    clip: float = 0.0
    """The largest quote of the present inventory."""
    is_clear: bool = False
    """Whether the newest second's gates let it quote."""
    is_barred: bool = False
    """Whether the gate refused the newest quotes."""
    again_at: int = 0
    proof: QuoteProof = msgspec.field(default_factory=QuoteProof)
    fault: PlanFault | None = None
    """Why, of all that was measured here, quoting does not pay; None once it does."""

    @property
    def clips(self) -> float:
        """The inventory, signed."""
        if self.holding is None:
            return 0.0
        size = self.clip or self.holding.quantity
        return self.holding.sign * self.holding.quantity / size


class Target(msgspec.Struct, frozen=True, gc=False):
    """Where a side would be quoted now; `paired` says whether the other side would be too."""

    sign: int
    price: float
    other: float
    paired: bool
    adverse_bp: float
    """What both sides' fills were measured to lose."""


def targets_of(
    desk: MarketMakingDesk, market: Quote, section: MarketMakingSettings
) -> list[Target]:
    """Return where to quote: the model's prices on the sides that flow and inventory leave.

    Sets `desk.half`.
    """
    frame = desk.frame
    if frame is None:
        return []
    rules = desk.specification
    price, sigma = mid(market), 1e4 * frame.features.sigma_fast
    fee = fee_bp(rules, maker=True)
    bought = desk.markouts.adverse_bp(1, section.assumed_adverse_bp)
    sold = desk.markouts.adverse_bp(-1, section.assumed_adverse_bp)
    width = half_spread_bp(
        maker_bp=fee, adverse_bp=(bought + sold) / 2.0, terms=desk.terms, sigma_bp=sigma
    )
    least = max(fee + 1.0, 1e4 * rules.tick / price)
    desk.half = half = min(max(width, least), max(section.half_max_bp, least))
    shift = micro_bp(desk, market, section.micro_share)
    shift += desk.flow_bp - sigma * desk.terms[1] * desk.clips
    centre = price * (1.0 + shift / 1e4)
    bid = min(centre * (1.0 - half / 1e4), market.ask - rules.tick)
    ask = max(centre * (1.0 + half / 1e4), market.bid + rules.tick)
    buys, sells = _is_open(desk, 1, section), _is_open(desk, -1, section)
    found: list[Target] = []
    if buys:
        found.append(Target(1, bid, ask, sells, bought + sold))
    if sells:
        found.append(Target(-1, ask, bid, buys, bought + sold))
    return found


def plans_of(desk: MarketMakingDesk, market: Quote, section: MarketMakingSettings) -> list[Plan]:
    """Return what to quote now, as it is asked of the gate. Sets `desk.half`."""
    targets = targets_of(desk, market, section)
    return [plan_of(desk, market, one, section) for one in targets]


def _is_open(desk: MarketMakingDesk, sign: int, section: MarketMakingSettings) -> bool:
    """Whether a side may be quoted: safe from the flow, and within the inventory's bound."""
    if sign < 0 and desk.clips <= 0.0 and not may_open_short(desk.specification):
        return False
    safe = desk.flow_z * sign > -section.ofi_z
    return safe and desk.clips * sign < section.inventory_clips - 1.0


def fits(desk: MarketMakingDesk, sign: int, section: MarketMakingSettings) -> bool:
    """Return whether one more quote keeps the bound: what is not yet gone may still fill."""
    held = max(0.0, desk.clips * sign)
    outstanding = sum(1 for one in desk.quotes if one.sign == sign)
    return held + outstanding + 1.0 <= section.inventory_clips + 1e-9


def plan_of(
    desk: MarketMakingDesk, market: Quote, target: Target, section: MarketMakingSettings
) -> Plan:
    """Plan one quote: a clip is a share of the usual size, and one alone no larger than in a pair.

    The gate sizes a pair by both its sides, so a quote alone would come out twice as large.
    """
    sign, price, both = target.sign, target.price, target.adverse_bp
    fee = fee_bp(desk.specification, maker=True)
    toxicity = nan if desk.frame is None else desk.frame.features.vpin_percentile
    loss = max(LEAST_LOSS_BP, LOSS_HALVES * desk.half * (section.inventory_clips - 1.0))
    away = _STOP_MARGIN * loss
    return Plan(
        sign=sign,
        style=OrderStyle.POST_ONLY,
        limit=price,
        scale=desk.share * (1.0 if target.paired else 0.5) / section.inventory_clips,
        ttl_ns=INTERVAL_NS,
        stop=price * (1.0 - sign * away / 1e4),
        targets=(target.other,),
        time_stop_ns=int(INVENTORY_NEUTRAL_MM.time_stop_seconds) * SECOND_NS,
        strength=max(0.0, 1.0 - abs(desk.flow_z) / PULL_Z),
        quality=1.0 if toxicity == toxicity and not market.conflated else 0.5,
        edge_bp=2.0 * desk.half - 2.0 * fee - both,
        cost_bp=2.0 * fee + both,
        fault=desk.fault,
        reason=f"half {desk.half:.2f} bp, inventory {desk.clips:.2f}, flow {desk.flow_z:.2f}",
    )
