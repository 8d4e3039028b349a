"""One outcome for each trade: the legs of a group count as one."""

from __future__ import annotations

import msgspec

from hean.core.bus import Bus, Stage
from hean.core.events.portfolio import PositionClosed, PositionOpened
from hean.core.snapshot import pack, unpack


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What a trade made: net and R in USDT, and the value entered.

    Of a group instrument, regime and signal are those of the leg that opened first.
    """

    strategy: str
    instrument: str
    net: float
    risk: float
    notional: float
    regime: str
    signal_id: str


class _Group(msgspec.Struct):
    instrument: str = ""
    regime: str = ""
    signal_id: str = ""
    open: list[str] = []
    net: float = 0.0
    risk: float = 0.0
    notional: float = 0.0


class _State(msgspec.Struct, frozen=True):
    groups: dict[str, _Group]
    members: list[tuple[str, str, str]]


class OutcomeCollector:
    """Adds up the legs of a group until the last open one is closed; single trades pass at once."""

    def __init__(self) -> None:
        self._groups: dict[str, _Group] = {}
        self._members: dict[tuple[str, str], str] = {}

    def attach(self, bus: Bus, *, owner: str) -> None:
        """Subscribe to the positions that legs open."""
        bus.subscribe(PositionOpened, self._on_opened, stage=Stage.RISK, owner=owner)

    def collect(self, event: PositionClosed) -> Outcome | None:
        """Return the outcome that this close completes, or None while other legs are open."""
        net, risk = float(event.net), float(event.risk)
        notional = abs(float(event.quantity) * float(event.entry_price))
        regime = "" if event.regime is None else event.regime.value
        name = self._members.pop((event.strategy, event.instrument), "")
        group = self._groups.get(name)
        if group is None:
            return Outcome(
                event.strategy, event.instrument, net, risk, notional, regime, event.signal_id
            )
        group.open.remove(event.instrument)
        group.net += net
        group.risk += risk
        group.notional = max(group.notional, notional)
        if event.instrument == group.instrument and not group.signal_id:
            group.regime, group.signal_id = regime, event.signal_id
        if group.open:
            return None
        del self._groups[name]
        return Outcome(
            event.strategy,
            group.instrument,
            group.net,
            group.risk,
            group.notional,
            group.regime,
            group.signal_id,
        )

    def _on_opened(self, event: PositionOpened) -> None:
        key = (event.strategy, event.instrument)
        if event.group and key not in self._members:
            self._members[key] = event.group
            fresh = _Group(instrument=event.instrument)
            self._groups.setdefault(event.group, fresh).open.append(event.instrument)

    def snapshot(self) -> bytes:
        """Return the groups under way."""
        members = [(*key, group) for key, group in self._members.items()]
        return pack("risk_outcomes", 1, _State(self._groups, members))

    def restore(self, state: bytes) -> None:
        """Take over the groups of a snapshot."""
        found = unpack(state, "risk_outcomes", 1, _State)
        self._groups = found.groups
        self._members = {(one[0], one[1]): one[2] for one in found.members}
