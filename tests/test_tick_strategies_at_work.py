"""Each tick strategy through the whole system on a market made for it, to an order and a close."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
import pytest

from hean.app.feeds import FeedDescription
from hean.app.strategy_selection import enabling
from hean.app.testing import settings_with
from hean.core.bus import Stage
from hean.core.events import (
    Bar,
    Event,
    Frame,
    Intent,
    Liquidation,
    Need,
    OrderFilled,
    OrderRequest,
    PositionClosed,
    PositionOpened,
    ReasonCode,
    Side,
    Signal,
    SignalRejected,
    SignalWithdrawn,
)
from hean.core.instruments import Instrument
from hean.core.journal import MemoryJournal
from hean.core.synthetic.paths import bar_log, merged, reversion, walk
from hean.core.synthetic.shapes import bursts, flow_driven, pokes
from hean.core.synthetic.tape import Second, seconds_of, tick_log
from hean.core.testing import BTC, HOUR, MINUTE, SECOND, START, btc_perpetual
from hean.main import TradingSystem
from hean.strategies import EnhancedGrid, RebateFarmer, Strategy

EventT = TypeVar("EventT", bound=Event)
PRICE = 60_000.0
TICKS_FROM = START + 8 * HOUR
NEEDS = (Need.QUOTES, Need.TRADES, Need.DEPTH, Need.LIQUIDATIONS, Need.INDEX, Need.BARS)
SETTINGS = {
    "EDGE_GUARD": "observe",
    "INITIAL_CAPITAL": "1000000",
    "PORTFOLIO__AUTOPILOT_ENABLED": "false",
    "RISK__LOSS_STREAK_ENABLED": "false",
    "RISK__ANOMALY_JUMP": "0.5",
    "RISK__ANOMALY_Z": "50",
}
"""What guards against such markets is wide: here the way of an order is looked at."""


@dataclass(frozen=True)
class Market:
    """Seconds of a path, the spread around it, and the instrument's maker fee."""

    path: Callable[[], list[Second]]
    spread_bp: float = 0.02
    maker_fee: str = "0.0002"


def _flowing() -> list[Second]:
    return flow_driven(1, 5400, start=PRICE, sigma_bp=5.0, drift_bp=4.5, half_life=8.0)


def _bouncing() -> list[Second]:
    return seconds_of(reversion(1, 5400, start=PRICE, half_life=15.0, sd_bp=8.0))


def _wicked() -> list[Second]:
    prices = walk(1, 5400, start=PRICE, sigma_bp=0.9)
    for at in (4700, 5000):
        prices[at] *= 0.993
    return seconds_of(prices)


def _bursting() -> list[Second]:
    return bursts(2, 6600, start=PRICE, size_bp=120.0, lasts=15, every=320.0, after_bp=30.0)


def _poked() -> list[Second]:
    return pokes(1, 9000, start=PRICE, beyond_bp=18.0, back_bp=75.0, every=1300.0)[0]


def _ranging() -> list[Second]:
    return seconds_of(reversion(4, 9000, start=PRICE, half_life=180.0, sd_bp=25.0))


MARKETS = {
    "hf_scalping": Market(_flowing),
    "inventory_neutral_mm": Market(_bouncing, spread_bp=8.0),
    "rebate_farmer": Market(_wicked, maker_fee="-0.0001"),
    "impulse_engine": Market(_bursting),
    "liquidity_sweep": Market(_poked),
    "enhanced_grid": Market(_ranging),
}


def _forced_out(seconds: Sequence[Second]) -> list[Event]:
    """Return a small liquidation now and then, large ones where flow and volume are one-sided."""
    events: list[Event] = []
    for number, one in enumerate(seconds):
        heavy = one.volume >= 5.0
        if heavy or number % 120 == 0:
            at = TICKS_FROM + number * SECOND + 650_000_000
            events.append(
                Liquidation(
                    ts_event=at, ts_init=at, instrument=BTC,
                    side=Side.SELL if one.lean > 0.0 else Side.BUY,
                    price=round(one.price, 1), quantity=5.0 if heavy else 0.05,
                )
            )  # fmt: skip
    return events


def _log(market: Market, rules: Instrument) -> list[Event]:
    """Return hours of minute bars, then the market in ticks."""
    seconds, minutes = market.path(), int((TICKS_FROM - START) // MINUTE)
    past = bar_log(
        rules.id, walk(0, minutes, start=PRICE, sigma_bp=7.0), begin=START, interval=MINUTE,
        bridge_bp=7.0,
    )  # fmt: skip
    ticks = tick_log(
        rules, seconds, begin=TICKS_FROM + 600_000_000, seed=1, spread_bp=market.spread_bp
    )
    return [
        *[one for one in past if isinstance(one, Bar)],
        *merged(ticks, _forced_out(seconds)),
    ]


def _calm(self: EnhancedGrid | RebateFarmer, event: Event) -> None:
    """Show a strategy a calm third of the last day: a day of ticks would take too long."""
    if isinstance(event, Frame):
        features = msgspec.structs.replace(event.features, sigma_percentile=0.3)
        event = msgspec.structs.replace(event, features=features)
    Strategy[Any, Any].handle(self, event)


def _system(strategy: str, rules: Instrument) -> TradingSystem:
    return TradingSystem(
        settings=settings_with(**enabling((strategy,)), **SETTINGS),
        description=FeedDescription(
            name="made",
            instruments=(rules,),
            carries={rules.id: NEEDS},
            first=START,
            last=None,
            bar_intervals={rules.id: MINUTE},
            ticks_from=TICKS_FROM,
            history_until=TICKS_FROM,
        ),
        journal=MemoryJournal(keep=False),
    )


class Witness:
    """Hears a system's signals, orders, withdrawals, fills and positions."""

    def __init__(self, system: TradingSystem) -> None:
        self.heard: list[Event] = []
        kinds = (
            Signal, OrderRequest, SignalWithdrawn, OrderFilled, PositionOpened,
            PositionClosed,
        )  # fmt: skip
        for kind in kinds:
            system.bus.subscribe(kind, self.heard.append, stage=Stage.REPORTS, owner="witness")

    def of(self, kind: type[EventT]) -> list[EventT]:
        """Return what was heard of one type, in order."""
        return [one for one in self.heard if isinstance(one, kind)]


@pytest.mark.parametrize("strategy", list(MARKETS))
def test_a_signal_becomes_an_order_a_fill_and_a_closed_position(
    strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a market made for it the strategy orders, fills and ends flat, gate and venue included."""
    for kind in (EnhancedGrid, RebateFarmer):
        monkeypatch.setattr(kind, "handle", _calm)
    market = MARKETS[strategy]
    rules = btc_perpetual(maker_fee=market.maker_fee)
    system = _system(strategy, rules)
    witness = Witness(system)
    system.start()
    for event in _log(market, rules):
        known = len(witness.heard)
        system.kernel.take(event)
        if any(isinstance(one, PositionClosed) for one in witness.heard[known:]):
            break
    (closed,) = witness.of(PositionClosed)
    opened = witness.of(PositionOpened)[0]
    orders = {one.client_order_id: one for one in witness.of(OrderRequest)}
    entry = orders[opened.client_order_id]
    assert closed.strategy == entry.strategy == strategy
    assert entry.signal_id in {one.signal_id for one in witness.of(Signal)}
    assert any(name.startswith("would_refuse.") for name, _ in entry.size_factors)
    fills = witness.of(OrderFilled)
    assert {one.side for one in fills} == {Side.BUY, Side.SELL}
    assert fills[0].quantity <= entry.quantity


def test_rungs_keep_their_place_while_the_ladder_is_declared_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Most rungs declared anew are answered by the order at work, and orders that stood do fill."""
    monkeypatch.setattr(EnhancedGrid, "handle", _calm)
    rules = btc_perpetual()
    system = _system("enhanced_grid", rules)
    witness = Witness(system)
    system.start()
    for event in _log(MARKETS["enhanced_grid"], rules):
        system.kernel.take(event)
    stood = [one.stands for one in witness.of(SignalWithdrawn) if one.stands]
    minted = [one for one in witness.of(OrderRequest) if one.intent is Intent.QUOTE]
    declared = [one for one in witness.of(Signal) if one.intent is Intent.QUOTE and one.legs]
    assert len(stood) + len(minted) == len(declared)
    assert len(stood) > len(minted)
    assert set(stood) & {one.client_order_id for one in witness.of(OrderFilled)}


@pytest.mark.parametrize("size_bp", [60.0, -60.0])
def test_a_single_print_and_back_is_no_burst(size_bp: float) -> None:
    """A second that prints 60 bp away and back again is PARTICIPATION or EXHAUSTION, no order."""
    prices = walk(1, 4500, start=PRICE, sigma_bp=0.9)
    at = 4200
    prices[at] *= 1.0 + size_bp / 1e4
    rules = btc_perpetual()
    system = _system("impulse_engine", rules)
    refused: list[SignalRejected] = []
    witness = Witness(system)
    bus = system.bus
    bus.subscribe(SignalRejected, refused.append, stage=Stage.REPORTS, owner="refusals")
    system.start()
    for event in _log(Market(lambda: seconds_of(prices)), rules):
        system.kernel.take(event)
    assert not witness.of(Signal)
    then = TICKS_FROM + at * SECOND
    codes = [one.code for one in refused if then <= one.ts_init <= then + 3 * SECOND]
    assert {ReasonCode.PARTICIPATION, ReasonCode.EXHAUSTION} & set(codes)
