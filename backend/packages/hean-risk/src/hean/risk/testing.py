"""A small account for tests: the risk components on a bus, with books played by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from hean.config import HEANSettings
from hean.core.events.decision import OrderRequest
from hean.core.events.portfolio import (
    ActiveStrategiesChanged,
    AllocationLine,
    CapitalAllocated,
    EquityUpdated,
    PositionClosed,
    PositionOpened,
    Tier,
)
from hean.core.events.strategy import StrategyProfile
from hean.core.events.system import Heartbeat
from hean.core.events.venue import VenueSnapshot, WalletUpdated
from hean.core.inflight_tracker import InFlightTracker
from hean.core.instruments import ZERO, Instrument
from hean.core.testing import (
    ETH,
    SECOND,
    SOL,
    MiniSystem,
    accepted,
    btc_perpetual,
    eth_perpetual,
    filled,
    position_closed,
    profile,
    quote,
    registered,
    sol_perpetual,
)
from hean.risk.composition import build_risk
from hean.risk.settings import RiskSettings
from hean.risk.sizing import Sizer


class RiskSystem(MiniSystem):
    """A started account of `capital` USDT: reconciled, priced, `strategies` active."""

    def __init__(
        self,
        *strategies: str | StrategyProfile,
        capital: str = "300",
        settings: HEANSettings | None = None,
        section: RiskSettings | None = None,
        instruments: Iterable[Instrument] = (),
        sizer: Sizer | None = None,
    ) -> None:
        known = tuple(instruments) or (btc_perpetual(), eth_perpetual(), sol_perpetual())
        super().__init__(settings=settings, instruments=known)
        self.section = section or RiskSettings()
        self.tracker = self.add(
            InFlightTracker(
                settings=self.settings,
                max_positions=self.section.max_positions,
                bus=self.bus,
                agenda=self.agenda,
            )
        )
        self.risk = build_risk(
            settings=self.settings,
            section=self.section,
            bus=self.bus,
            agenda=self.agenda,
            view=self.view,
            tracker=self.tracker,
            sizer=sizer,
        )
        for component in self.risk.components:
            self.add(component)
        self.active_version = 0
        self.nav = self.high_water_mark = self.day_start = 1.0
        profiles = [profile(one) if isinstance(one, str) else one for one in strategies]
        for one in profiles:
            self.take(registered(one))
        self.reconcile()
        self.wallet(capital)
        self.equity(capital)
        self.activate(*(one.strategy for one in profiles))
        self.tick()

    def resumed(self) -> RiskSystem:
        """Return a new system that goes on from this one's snapshots, with an empty record."""
        known = tuple(self.view.instruments.values())
        other = RiskSystem(settings=self.settings, section=self.section, instruments=known)
        mine = (self.kernel, self.agenda, self.view, self.tracker, *self.risk.components)
        theirs = (other.kernel, other.agenda, other.view, other.tracker, *other.risk.components)
        for one, another in zip(mine, theirs, strict=True):
            another.restore(one.snapshot())
        other.active_version = self.active_version
        other.nav, other.day_start = self.nav, self.day_start
        other.high_water_mark = self.high_water_mark
        other.recorder.clear()
        return other

    def tick(self, btc: float = 60_000.0, eth: float = 3_500.0, sol: float = 200.0) -> None:
        """Quote the three perpetuals now."""
        self.take(
            quote(btc, btc + 0.1, at=self.now),
            quote(eth, eth + 0.01, instrument=ETH, at=self.now),
            quote(sol, sol + 0.01, instrument=SOL, at=self.now),
        )

    def beat(self, interval: int = SECOND) -> None:
        """Give the feed's beat now."""
        at = self.now
        self.take(Heartbeat(ts_event=at, ts_init=at, interval_ns=interval))

    def reconcile(self) -> None:
        """Answer a complete venue snapshot."""
        at = self.now
        self.take(VenueSnapshot(ts_event=at, ts_init=at, positions=(), orders=(), wallet=ZERO))

    def wallet(self, available: str, *, maintenance: str = "0") -> None:
        """Report the venue's wallet."""
        at, free = self.now, Decimal(available)
        self.take(
            WalletUpdated(
                ts_event=at,
                ts_init=at,
                wallet=free,
                available=free,
                maintenance_margin=Decimal(maintenance),
            )
        )

    def equity(
        self, equity: str | None = None, *, nav: float | None = None, mark: float | None = None
    ) -> None:
        """Report equity in USDT, or NAV as a multiple of the start (equity follows at 300)."""
        self.nav = self.nav if nav is None else nav
        self.high_water_mark = max(self.high_water_mark, self.nav) if mark is None else mark
        money = Decimal(equity) if equity is not None else Decimal(str(round(300 * self.nav, 8)))
        at = self.now
        self.take(
            EquityUpdated(
                ts_event=at,
                ts_init=at,
                equity=money,
                wallet=money,
                unrealised=ZERO,
                nav=self.nav,
                high_water_mark=self.high_water_mark,
                drawdown=max(0.0, 1.0 - self.nav / self.high_water_mark),
                day_start=self.day_start,
                day_high=self.high_water_mark,
                mark_age_ns=0,
                realised=ZERO,
                fees=ZERO,
                funding=ZERO,
            )
        )

    def activate(self, *strategies: str, version: int | None = None) -> None:
        """Make these strategies the active set."""
        self.active_version = self.active_version + 1 if version is None else version
        at = self.now
        self.take(
            ActiveStrategiesChanged(
                ts_event=at,
                ts_init=at,
                version=self.active_version,
                mode="NORMAL",
                epoch=0,
                active=strategies,
                lines=(),
            )
        )

    def allocate(
        self,
        weights: Mapping[str, float],
        *,
        version: int = 1,
        active_version: int | None = None,
        tier: Tier = Tier.TRIAL,
    ) -> None:
        """Publish an allocation, by default solved for the active set in force."""
        at = self.now
        lines = tuple(
            AllocationLine(strategy=name, weight=weight, tier=tier)
            for name, weight in weights.items()
        )
        self.take(
            CapitalAllocated(
                ts_event=at,
                ts_init=at,
                version=version,
                active_version=self.active_version if active_version is None else active_version,
                method="hybrid",
                reason="test",
                reserve=0.2,
                lines=lines,
            )
        )

    def orders(self) -> list[OrderRequest]:
        """Return every order minted so far."""
        return self.of(OrderRequest)

    def open(self, order: OrderRequest, *, price: str | None = None) -> None:
        """Accept and fill an order in full, and open the position it makes."""
        at = self.now
        fill = filled(order, price=price, at=at)
        self.take(accepted(order, at=at), fill)
        self.take(
            PositionOpened(
                ts_event=at,
                ts_init=at,
                strategy=order.strategy,
                instrument=order.instrument,
                quantity=order.quantity * order.side.sign,
                entry_price=fill.price,
                risk=order.risk,
                client_order_id=order.client_order_id,
                fill_id=fill.fill_id,
                group=order.group,
            )
        )

    def flat(self, strategy: str, instrument: str, *, net: str = "1", risk: str = "1") -> None:
        """Close a strategy's position with a net result."""
        self.take(position_closed(strategy, net=net, risk=risk, instrument=instrument, at=self.now))

    def close_with(self, order: OrderRequest) -> PositionClosed:
        """Fill a closing order in full and close the position it belongs to."""
        at = self.now
        self.take(accepted(order, at=at), filled(order, price="60000", at=at))
        closed = position_closed(order.strategy, instrument=order.instrument, at=at)
        self.take(closed)
        return closed
