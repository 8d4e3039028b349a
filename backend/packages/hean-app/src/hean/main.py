"""The composition: every part of HEAN built once, wired in the declared order.

`TradingSystem` is the same for replay, paper and live; only feed and venue differ. It reads no
clock and does no I/O: `hean.app.runner` drives it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from hean.app.execution import Execution
from hean.app.feeds import FeedDescription
from hean.app.reconcile import Reconciliation
from hean.app.reports.funnel import Funnel
from hean.app.settings import AppSettings
from hean.app.venues.paper import PaperVenue
from hean.config import settings_sha256
from hean.core.bus import Bus, Component
from hean.core.bus_dlq import DeadLetterQueue
from hean.core.events import Evidence, InstrumentUpdated, RunStarted, WalletUpdated
from hean.core.features.pipeline import FeaturePipeline
from hean.core.features.tables import LoadedTables
from hean.core.ids import digest_of
from hean.core.inflight_tracker import InFlightTracker
from hean.core.journal import Journal
from hean.core.journal_recorder import JournalRecorder
from hean.core.kernel import SECOND_NS, Kernel
from hean.core.market_view import MarketView
from hean.core.timers import Agenda
from hean.portfolio import build_portfolio
from hean.risk import build_risk
from hean.strategies import build_strategies

if TYPE_CHECKING:
    from hean.core.events import Event
    from hean.risk import Sizer
    from hean.strategies import StrategySet


class TradingSystem:
    """All components of one account, on one bus.

    `description` is what the feed declares, `tables` what was fitted for its features. `sizer` and
    `strategies` (called with the system once the rest is built) replace the shipped ones:
    benchmarks and tests compose other systems so.
    """

    def __init__(
        self,
        *,
        settings: AppSettings,
        description: FeedDescription,
        journal: Journal,
        mode: str = "replay",
        tables: LoadedTables | None = None,
        sizer: Sizer | None = None,
        strategies: Callable[[TradingSystem], StrategySet] | None = None,
    ) -> None:
        self.settings = settings
        self.description = description
        self.journal = journal
        self.mode = mode
        self.bus = Bus()
        self.agenda = Agenda()
        self.kernel = Kernel(self.bus, self.agenda, pulse_from=description.ticks_from)
        self.view = MarketView()
        self.settings_sha256 = settings_sha256(settings)
        self.run_id = digest_of(
            mode, description.name, description.digest, settings.random_seed, self.settings_sha256
        )
        self.tables = tables
        if tables is not None:
            self.run_id = digest_of(self.run_id, tables.sha256)
        self.evidence: Mapping[str, Evidence] = {}
        self._build(sizer, strategies)
        self._attach()

    def _build(
        self,
        sizer: Sizer | None,
        strategies: Callable[[TradingSystem], StrategySet] | None,
    ) -> None:
        settings, bus, agenda, view = self.settings, self.bus, self.agenda, self.view
        self.recorder = JournalRecorder(journal=self.journal, kernel=self.kernel)
        self.dead_letters = DeadLetterQueue(
            settings=settings, bus=bus, agenda=agenda, journal=self.journal
        )
        bus.use_dead_letters(self.dead_letters)
        self.venue = PaperVenue(
            bus=bus,
            agenda=agenda,
            view=view,
            section=settings.venue,
            initial_wallet=settings.initial_capital,
            leverage=Decimal(str(settings.max_leverage)),
        )
        self.features = FeaturePipeline(
            bus=bus,
            agenda=agenda,
            view=view,
            has_ticks=self.description.ticks_from is not None,
            tables=None if self.tables is None else self.tables.tables,
        )
        self.tracker = InFlightTracker(
            bus=bus, agenda=agenda, settings=settings, max_positions=settings.risk.max_positions
        )
        self.portfolio = build_portfolio(
            settings=settings, section=settings.portfolio, bus=bus, agenda=agenda, view=view
        )
        self.risk = build_risk(
            settings=settings,
            section=settings.risk,
            bus=bus,
            agenda=agenda,
            view=view,
            tracker=self.tracker,
            sizer=sizer,
        )
        self.strategies = (strategies or TradingSystem._shipped_strategies)(self)
        self.execution = Execution(bus=bus, agenda=agenda, venue=self.venue)
        self.reconciliation = Reconciliation(
            bus=bus,
            agenda=agenda,
            venue=self.venue,
            interval_ns=settings.portfolio.reconcile_interval_seconds * SECOND_NS,
        )
        self.funnel = Funnel()

    def _shipped_strategies(self) -> StrategySet:
        return build_strategies(
            settings=self.settings,
            section=self.settings.strategies,
            bus=self.bus,
            agenda=self.agenda,
            view=self.view,
            carries=self.description.carries,
            instruments=self.description.instruments,
            bar_intervals=self.description.bar_intervals,
            tables=None if self.tables is None else self.tables.tables,
        )

    @property
    def components(self) -> tuple[Component, ...]:
        """Every component with state, in the order of their handlers."""
        return (
            self.recorder,
            self.dead_letters,
            self.venue,
            self.view,
            self.features,
            *self.portfolio.components,
            self.tracker,
            *self.risk.components,
            self.strategies,
            self.execution,
            self.reconciliation,
            self.funnel,
        )

    def _attach(self) -> None:
        for component in self.components:
            component.attach(self.bus)
        self.bus.check_durable()

    def take_evidence(self, evidence: Mapping[str, Evidence]) -> None:
        """Bring, once and before the start, what strategies earned in an earlier run.

        Without any nothing changes; else it is part of the run's id.
        """
        self.evidence = evidence
        if evidence:
            self.run_id = digest_of(self.run_id, msgspec.json.encode(evidence).decode())

    def start(self) -> None:
        """Take the start-up inputs: the same dispatch in every mode."""
        ts_ns = self.description.first
        self.kernel.take(self._run_started(ts_ns))
        for instrument in self.description.instruments:
            self.kernel.take(
                InstrumentUpdated(
                    ts_event=ts_ns,
                    ts_init=ts_ns,
                    instrument=instrument.id,
                    specification=instrument,
                )
            )
        for event in self.strategies.registered_events(ts_ns):
            brought = self.evidence.get(event.strategy)
            self.kernel.take(replace(event, evidence=brought) if brought else event)
        account = self.venue.account()
        self.kernel.take(account)
        self.kernel.take(
            WalletUpdated(
                ts_event=ts_ns, ts_init=ts_ns, wallet=account.wallet, available=account.wallet
            )
        )

    def _run_started(self, ts_ns: int) -> RunStarted:
        carries = self.description.carries
        carried = sorted({need.value for needs in carries.values() for need in needs})
        return RunStarted(
            ts_event=ts_ns,
            ts_init=ts_ns,
            run_id=self.run_id,
            mode=self.mode,
            feed=self.description.name,
            seed=self.settings.random_seed,
            settings_sha256=self.settings_sha256,
            dataset_sha256=self.description.digest,
            carries=tuple(carried),
            history_until=self.description.history_until,
        )

    def take(self, event: Event) -> None:
        """Take one input of the feed."""
        self.kernel.take(event)

    @property
    def wallet(self) -> Decimal:
        return self.portfolio.ledger.wallet

    def snapshot(self) -> dict[str, bytes]:
        """Return the state of kernel, agenda and every component, by name."""
        state = {self.kernel.name: self.kernel.snapshot(), self.agenda.name: self.agenda.snapshot()}
        for component in self.components:
            state[component.name] = component.snapshot()
        return state

    def restore(self, state: Mapping[str, bytes]) -> None:
        """Take over a snapshot of a system composed alike."""
        self.agenda.restore(state[self.agenda.name])
        self.kernel.restore(state[self.kernel.name])
        for component in self.components:
            component.restore(state[component.name])


def main() -> None:
    """Run the command line; `python -m hean.main` and `hean-app` are the same program."""
    from hean.app.cli import main as run

    run()


if __name__ == "__main__":
    main()
