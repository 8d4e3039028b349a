from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from hean.core.bus import Stage
from hean.core.events.decision import OrderRequest, SignalRejected
from hean.core.events.reasons import ReasonCode
from hean.core.events.strategy import Signal
from hean.core.testing import ETH, signal
from hean.risk.sizing import Entry, Factors, GroupRules, Place, Room, Sizing
from hean.risk.testing import RiskSystem


class Fixed:
    """A sizer that always answers the same quantity."""

    def __init__(self, quantity: str) -> None:
        self.quantity = Decimal(quantity)

    def size(self, entry: Entry, room: Room, place: Place, factors: Factors) -> Sizing:
        """Return the quantity, with a R of 1."""
        return Sizing(quantity=self.quantity, risk=Decimal(1), cap="fixed")

    def size_group(
        self,
        entries: Sequence[Entry],
        room: Room,
        places: Sequence[Place],
        factors: Factors,
        rules: GroupRules,
    ) -> tuple[Sizing, ...]:
        """Return the quantity for each leg."""
        return tuple(self.size(one, room, places[0], factors) for one in entries)


def ask(system: RiskSystem) -> Signal:
    """Ask for an entry on ETH and return the signal."""
    found = signal(limit=3_500.0, stop=3_430.0, targets=(), instrument=ETH, at=system.now)
    system.take(found)
    return found


def test_components_have_names_of_their_own_and_one_order() -> None:
    """Eleven components, each once, by unique names: books first, the closer last."""
    system = RiskSystem("alpha")
    names = [one.name for one in system.risk.components]
    assert len(set(names)) == len(names) == 11
    assert (names[0], names[-3:]) == (
        "risk_exposure",
        ["risk_sentinel", "risk_gate", "risk_closer"],
    )


def test_the_books_of_an_order_are_settled_before_anybody_reads_them() -> None:
    """Exposure hears an order in stage RISK, before slots, gate and sentinel's readers do."""
    system = RiskSystem("alpha")
    heard = [
        one.owner
        for one in system.bus.subscriptions(OrderRequest)
        if one.stage in (Stage.RISK, Stage.GATE)
    ]
    assert heard[0] == "risk_exposure"
    assert "risk_closer" in heard[1:]


def test_only_the_gate_hears_signals() -> None:
    """Of the risk components the gate alone subscribes to signals."""
    system = RiskSystem("alpha")
    mine = {one.name for one in system.risk.components}
    owners = [one.owner for one in system.bus.subscriptions(Signal) if one.owner in mine]
    assert owners == ["risk_gate"]


def test_a_sizer_that_says_zero_is_final() -> None:
    """P5: whatever sizer is plugged in, its zero is POSITION_SIZER_ZERO under the cap it named."""
    system = RiskSystem("alpha", sizer=Fixed("0"))
    ask(system)
    (refused,) = system.of(SignalRejected)
    assert (refused.code, refused.layer) == (ReasonCode.POSITION_SIZER_ZERO, "sizer.fixed")
    assert system.orders() == []


def test_what_a_sizer_says_is_ordered_as_it_is() -> None:
    """A plugged-in sizer's positive quantity reaches the order unchanged."""
    system = RiskSystem("alpha", sizer=Fixed("0.37"))
    found = ask(system)
    (order,) = system.orders()
    assert (order.quantity, order.risk) == (Decimal("0.37"), Decimal(1))
    assert order.signal_id == found.signal_id
