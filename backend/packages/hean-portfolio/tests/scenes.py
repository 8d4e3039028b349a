"""What several tests of the portfolio begin with."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from hean.config import HEANSettings
from hean.core.events import (
    ActiveStrategiesChanged,
    CapitalAllocated,
    FillKind,
    Liquidity,
    OrderFilled,
    RiskEnvelope,
    RiskState,
    RunStarted,
    ShadowClosed,
    Side,
    StrategyProfile,
    Tier,
    WalletUpdated,
)
from hean.core.events.risk import BudgetSource, StrategyLimit
from hean.core.instruments import Instrument
from hean.core.testing import BTC, START, MiniSystem, btc_perpetual, btc_spot, mark, registered
from hean.portfolio import (
    Equity,
    Kinship,
    Ledger,
    Performance,
    Portfolio,
    PortfolioSettings,
    StrategyCapitalAllocator,
    build_portfolio,
)

ZERO = Decimal(0)
SPOT = "BTCUSDT-SPOT.BYBIT"


def booted(capital: str = "300") -> tuple[MiniSystem, Portfolio]:
    """Return a started system with a portfolio and a mark of 100,000."""
    system = MiniSystem(
        settings=HEANSettings(initial_capital=Decimal(capital)),
        instruments=(btc_perpetual(), btc_spot()),
    )
    section = PortfolioSettings()
    portfolio = build_portfolio(system.settings, section, system.bus, system.agenda, system.view)
    for one in portfolio.components:
        system.add(one)
    system.take(
        RunStarted(
            ts_event=START,
            ts_init=START,
            run_id="r",
            mode="paper",
            feed="sim",
            seed=0,
            settings_sha256="",
        ),
        WalletUpdated(
            ts_event=START, ts_init=START, wallet=Decimal(capital), available=Decimal(capital)
        ),
        mark(100_000.0),
    )
    return system, portfolio


def fill_of(
    strategy: str,
    side: Side,
    quantity: str,
    price: str,
    *,
    number: int,
    fee: str = "0",
    at: int = START,
    kind: FillKind = FillKind.ORDER,
    instrument: str = BTC,
) -> OrderFilled:
    """Build a fill that needs no order."""
    return OrderFilled(
        ts_event=at,
        ts_init=at,
        fill_id=f"x{number}",
        client_order_id=f"o{number}",
        strategy=strategy,
        instrument=instrument,
        side=side,
        price=Decimal(price),
        quantity=Decimal(quantity),
        fee=Decimal(fee),
        liquidity=Liquidity.TAKER,
        filled=Decimal(quantity),
        remaining=ZERO,
        kind=kind,
    )


def envelope_of(multiplier: float, *strategies: StrategyLimit, at: int) -> RiskEnvelope:
    """Build an envelope that says little but the drawdown multiplier and these limits."""
    return RiskEnvelope(
        ts_event=at,
        ts_init=at,
        version=1,
        input_age_ns=0,
        allocation_version=1,
        active_version=1,
        source=BudgetSource.ALLOCATION,
        equity=ZERO,
        nav=1.0,
        drawdown=0.0,
        state=RiskState.NORMAL,
        multiplier=multiplier,
        entries_allowed=True,
        reason="",
        deployable=ZERO,
        budgets_sum=ZERO,
        positions=0,
        reserved=0,
        working=0,
        maximum=10,
        free_slots=10,
        open_orders=0,
        open_risk=ZERO,
        open_risk_limit=ZERO,
        gross=ZERO,
        gross_limit=ZERO,
        worst_stress=ZERO,
        stress_limit=ZERO,
        tail=ZERO,
        tail_limit=ZERO,
        day_loss=0.0,
        day_loss_limit=0.05,
        strategies=strategies,
        instruments=(),
    )


def limit_of(strategy: str, *, size_factor: float = 1.0, blocked_until: int = 0) -> StrategyLimit:
    """Build one strategy's line of an envelope."""
    return StrategyLimit(
        strategy=strategy,
        active=True,
        tier=Tier.TRIAL,
        weight=0.0,
        budget=ZERO,
        size_factor=size_factor,
        blocked_until=blocked_until,
    )


def summed(portfolio: Portfolio) -> Decimal:
    """Return the sum of all accounts."""
    total = ZERO
    for one in portfolio.ledger.balances().values():
        total += one
    return total


def shadow_closed(strategy: str, r: float, *, at: int = START) -> ShadowClosed:
    """Return a shadow outcome."""
    return ShadowClosed(
        ts_event=at,
        ts_init=at,
        strategy=strategy,
        instrument=BTC,
        side=Side.BUY,
        opened_at=at,
        entry_price=1.0,
        exit_price=1.0,
        gross_bp=r,
        fees_bp=0.0,
        funding_bp=0.0,
        net_bp=r,
        stop_bp=10.0,
        r_multiple=r,
        mae_r=0.0,
        mfe_r=0.0,
        regime=None,
        phase=None,
        cycle=None,
        exit_reason="stop",
        signal_id="s",
        refusal="STRATEGY_INACTIVE",
    )


class Stage:
    """An allocator with its own books and no AutoPilot: tests say who is active."""

    def __init__(
        self,
        *,
        mode: str = "paper",
        method: str = "hybrid",
        capital: int = 300,
        instruments: Iterable[Instrument] = (),
    ) -> None:
        settings = HEANSettings(
            initial_capital=Decimal(capital),
            capital_allocation_method=method,  # type: ignore[arg-type]
        )
        section = PortfolioSettings()
        self.system = system = MiniSystem(settings=settings, instruments=instruments)
        ledger = Ledger(bus=system.bus, agenda=system.agenda, view=system.view)
        equity = Equity(
            settings=settings,
            bus=system.bus,
            agenda=system.agenda,
            view=system.view,
            ledger=ledger,
        )
        performance = Performance(
            section=section, bus=system.bus, agenda=system.agenda, view=system.view, ledger=ledger
        )
        kinship = Kinship(section=section, performance=performance)
        self.allocator = StrategyCapitalAllocator(
            settings=settings,
            section=section,
            bus=system.bus,
            agenda=system.agenda,
            view=system.view,
            equity=equity,
            performance=performance,
            kinship=kinship,
        )
        self.components = (ledger, equity, performance, kinship, self.allocator)
        for one in self.components:
            system.add(one)
        self.version = 0
        system.take(
            RunStarted(
                ts_event=START,
                ts_init=START,
                run_id="r",
                mode=mode,
                feed="sim",
                seed=0,
                settings_sha256="",
            ),
            WalletUpdated(
                ts_event=START, ts_init=START, wallet=Decimal(capital), available=Decimal(capital)
            ),
        )

    def know(self, *profiles: StrategyProfile) -> None:
        """Register strategies."""
        for one in profiles:
            self.system.take(registered(one, at=self.system.now))

    def activate(self, *names: str, version: int = 0) -> None:
        """Make a set the active one."""
        self.version += 1
        now = self.system.now
        self.system.take(
            ActiveStrategiesChanged(
                ts_event=now,
                ts_init=now,
                version=version or self.version,
                mode="NORMAL",
                epoch=0,
                active=names,
                lines=(),
            )
        )

    @property
    def last(self) -> CapitalAllocated:
        return self.system.of(CapitalAllocated)[-1]

    def weights(self) -> dict[str, float]:
        """Return the newest weights that are not 0."""
        return {one.strategy: one.weight for one in self.last.lines if one.weight}
