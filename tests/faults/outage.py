"""A line to the venue that can go dead, and what must hold whatever happened on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from hean.core.events import (
    Event,
    OrderRequest,
    Signal,
    SignalRejected,
    SignalWithdrawn,
    StrategyProfile,
    VenueSnapshot,
    VenueStateChanged,
)
from hean.core.testing import SECOND

from .composed import ALPHA_AND_BETA, PRICES, Composed


class Outage:
    """Where nothing sent arrives, nothing asked is answered, and reports wait for the end."""

    def __init__(
        self,
        *,
        profiles: Sequence[StrategyProfile] = ALPHA_AND_BETA,
        prices: Mapping[str, float] = PRICES,
        **values: str,
    ) -> None:
        self.is_down = False
        self.held: list[Event] = []
        self.composed = Composed(self._tamper, profiles=profiles, prices=prices, **values)
        venue: Any = self.composed.system.venue
        for name in ("submit", "cancel", "amend"):
            setattr(venue, name, self._unless_down(getattr(venue, name)))
        answer: Callable[[], VenueSnapshot] = venue.account

        def account() -> VenueSnapshot:
            found = answer()
            if not self.is_down:
                return found
            return msgspec.structs.replace(found, positions=(), orders=(), complete=False)

        venue.account = account

    def _tamper(self, due: int, event: Event) -> list[tuple[int, Event]]:
        if self.is_down:
            self.held.append(event)
            return []
        return [(due, event)]

    def _unless_down(self, act: Callable[..., None]) -> Callable[..., None]:
        def sent(*what: Any) -> None:  # noqa: ANN401  (the arguments of any command)
            if not self.is_down:
                act(*what)

        return sent

    def begin(self, *, is_told: bool = True) -> None:
        """Lose the venue; `is_told` whether anybody notices."""
        self.is_down = True
        if is_told:
            self._tell(connected=False)

    def end(self, *, losing: Callable[[Event], bool] = lambda _: False) -> None:
        """Find it again: what it had to say arrives at once, but for what is lost."""
        self.is_down = False
        agenda, held = self.composed.system.agenda, self.held
        self.held = []
        for number, event in enumerate(held, start=1):
            if not losing(event):
                due = agenda.now + number
                agenda.schedule(due, msgspec.structs.replace(event, ts_init=due))
        self.composed.system.kernel.advance(agenda.now + SECOND // 100)
        self._tell(connected=True)

    def _tell(self, *, connected: bool) -> None:
        now = self.composed.system.agenda.now
        self.composed.system.take(VenueStateChanged(ts_event=now, ts_init=now, connected=connected))


def check_outcomes(composed: Composed) -> None:
    """Assert that every signal had exactly one outcome."""
    answers = {one.signal_id: 0 for one in composed.of(Signal)}
    for kind in (OrderRequest, SignalWithdrawn, SignalRejected):
        for one in composed.of(kind):
            if one.signal_id in answers:
                answers[one.signal_id] += 1
    assert set(answers.values()) <= {1}


def check_protected(composed: Composed) -> None:
    """Assert that books, venue and slots agree, and a stop rests for all that is held."""
    composed.check()
    check_outcomes(composed)
    system = composed.system
    resting: dict[tuple[str, str], Decimal] = {}
    for one in system.venue.account().orders:
        if one.protective:
            key = (one.strategy, one.instrument)
            resting[key] = resting.get(key, Decimal(0)) + one.quantity
    held = {
        (one.strategy, one.instrument): abs(one.quantity)
        for one in system.portfolio.ledger.positions()
        if one.strategy != "EXTERNAL"
    }
    assert resting == held
    open_slots, working, reserved = system.tracker.counts()
    assert open_slots == len(held)
    assert (working, reserved) == (0, 0)


def wind_up(composed: Composed) -> None:
    """Close everything as the operator would, and assert that nothing is left."""
    for one in list(composed.system.portfolio.ledger.positions()):
        composed.command("close_position", strategy=one.strategy, instrument=one.instrument)
    composed.beat(90)
    composed.check_flat()
    check_outcomes(composed)
