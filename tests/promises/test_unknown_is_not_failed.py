"""Promise 8: an order whose outcome is unknown keeps exposure and slot until the venue says."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hean.app.testing import FinishedRun, finish_run, open_dataset, settings_with
from hean.app.venues.paper import PaperVenue
from hean.core.bus import Stage
from hean.core.events import Event, OrderRequest, OrderUnknown, VenueSnapshot
from hean.main import TradingSystem


class Lost:
    """Loses what is sent to the venue: the first entry never arrives, and nobody is told."""

    def __init__(self, submit: Callable[[PaperVenue, OrderRequest], None]) -> None:
        self.submit = submit
        self.order: OrderRequest | None = None
        self.sent: list[str] = []

    def __call__(self, venue: PaperVenue, request: OrderRequest) -> None:
        self.sent.append(request.client_order_id)
        if self.order is None and not request.reduce_only:
            self.order = request
            return
        self.submit(venue, request)


def _through(lost: Lost) -> Callable[[PaperVenue, OrderRequest], None]:
    def submit(venue: PaperVenue, request: OrderRequest) -> None:
        lost(venue, request)

    return submit


class Log:
    """Notes, at each event of interest, whether the lost order still holds its slot."""

    def __init__(self, system: TradingSystem, lost: Lost) -> None:
        self.system, self.lost = system, lost
        self.unknown: list[int] = []
        self.answers: list[tuple[int, bool]] = []
        bus, stage = system.bus, Stage.REPORTS
        bus.subscribe(OrderUnknown, self._on_unknown, stage=stage, owner="witness")
        bus.subscribe(VenueSnapshot, self._on_snapshot, stage=stage, owner="witness")

    def _holds(self) -> bool:
        order = self.lost.order
        return order is not None and self.system.tracker.holds(order.strategy, order.instrument)

    def _on_unknown(self, event: Event) -> None:
        assert self._holds()
        self.unknown.append(event.ts_init)

    def _on_snapshot(self, event: Event) -> None:
        self.answers.append((event.ts_init, self._holds()))


@pytest.fixture(scope="module")
def found(bars: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[FinishedRun, Lost, Log]:
    """A backtest whose first entry is lost on its way to the venue."""
    lost = Lost(PaperVenue.submit)
    logs: list[Log] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PaperVenue, "submit", _through(lost))
        session = open_dataset(
            bars,
            tmp_path_factory.mktemp("unknown"),
            settings_with(),
            watch=lambda system: logs.append(Log(system, lost)),
        )
        run = finish_run(session)
    return run, lost, logs[0]


def test_silence_makes_it_unknown_not_failed(found: tuple[FinishedRun, Lost, Log]) -> None:
    """After its TTL without a word the order is unknown; it still holds its slot then."""
    _, lost, log = found
    assert lost.order is not None
    assert log.unknown
    assert log.unknown[0] >= lost.order.ts_init + 30 * 10**9


def test_only_the_venue_frees_the_slot(found: tuple[FinishedRun, Lost, Log]) -> None:
    """The slot is free only after the venue has answered that it has no such order."""
    run, lost, log = found
    assert lost.order is not None
    ends = [
        one
        for one in run.events("OrderCancelled", "OrderExpired", "OrderRejected")
        if getattr(one, "client_order_id", "") == lost.order.client_order_id
    ]
    assert len(ends) == 1
    asked = [when for when, _ in log.answers if log.unknown[0] < when <= ends[0].ts_init]
    assert asked


def test_nothing_is_sent_twice(found: tuple[FinishedRun, Lost, Log]) -> None:
    """The lost order is never sent again, no order is; and the books balance at the end."""
    run, lost, _ = found
    assert lost.order is not None
    assert len(lost.sent) == len(set(lost.sent))
    assert run.summary["books_balance"] is True
    assert run.summary["slots"]["peak"] <= run.summary["slots"]["max"]
