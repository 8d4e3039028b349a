"""What several tests of the portfolio begin with."""

from __future__ import annotations

from decimal import Decimal

from hean.config import HEANSettings
from hean.core.events import FillKind, Liquidity, OrderFilled, RunStarted, Side, WalletUpdated
from hean.core.testing import BTC, START, MiniSystem, btc_perpetual, btc_spot, mark
from hean.portfolio import Portfolio, PortfolioSettings, build_portfolio

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


def summed(portfolio: Portfolio) -> Decimal:
    """Return the sum of all accounts."""
    total = ZERO
    for one in portfolio.ledger.balances().values():
        total += one
    return total
