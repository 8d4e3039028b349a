from __future__ import annotations

from hean.core.events import Need
from hean.core.testing import (
    BTC,
    BTC_SPOT,
    MINUTE,
    SOL,
    btc_perpetual,
    btc_spot,
    eth_spot,
    sol_perpetual,
)
from hean.strategies.spec import BASIS_ARBITRAGE, HF_SCALPING, MOMENTUM_TRADER
from hean.strategies.universe import assign, market_of

TICKS = (Need.QUOTES, Need.TRADES, Need.DEPTH)


def test_own_coins_come_first() -> None:
    """A strategy takes those of its own coins that the feed has, in its own order."""
    found = assign(HF_SCALPING, ("SOL", "BTC", "ETH"), {BTC: TICKS, SOL: TICKS},
                   (btc_perpetual(), sol_perpetual()), {})  # fmt: skip
    assert [one.instrument for one in found.markets] == [SOL, BTC]


def test_without_own_coins_it_takes_what_there_is() -> None:
    """Where the feed has none of its coins a strategy runs on the others."""
    found = assign(HF_SCALPING, ("ETH",), {SOL: TICKS}, (sol_perpetual(),), {})
    assert [one.instrument for one in found.markets] == [SOL]


def test_spot_is_a_leg_of_its_perpetual() -> None:
    """Spot of a coin with a perpetual is its leg; alone it is traded itself."""
    both = assign(MOMENTUM_TRADER, ("BTC", "ETH"), {BTC: TICKS, BTC_SPOT: TICKS},
                  (btc_perpetual(), btc_spot()), {})  # fmt: skip
    assert [(one.instrument, one.spot) for one in both.markets] == [(BTC, BTC_SPOT)]
    alone = assign(MOMENTUM_TRADER, ("ETH",), {eth_spot().id: TICKS}, (eth_spot(),), {})
    assert [one.instrument for one in alone.markets] == [eth_spot().id]


def test_a_missing_need_is_named() -> None:
    """What the feed lacks is said by name and letter."""
    found = assign(HF_SCALPING, ("BTC",), {BTC: (Need.QUOTES, Need.TRADES)}, (btc_perpetual(),), {})
    assert not found.markets
    assert "depth (D)" in found.cannot_run_because


def test_bars_alone_must_be_short_enough() -> None:
    """Momentum runs on 5-minute bars, not on hours; basis needs a spot leg on bars."""
    carries = {BTC: (Need.BARS,)}
    rules = (btc_perpetual(),)
    assert assign(MOMENTUM_TRADER, ("BTC",), carries, rules, {BTC: 5 * MINUTE}).markets
    hours = assign(MOMENTUM_TRADER, ("BTC",), carries, rules, {BTC: 60 * MINUTE})
    assert "bars up to 900 s" in hours.cannot_run_because
    alone = assign(BASIS_ARBITRAGE, ("BTC",), carries, rules, {BTC: 5 * MINUTE})
    assert "index price (I)" in alone.cannot_run_because


def test_ticks_bring_minute_bars() -> None:
    """Where quotes and trades come, bars of one minute are there too."""
    found = market_of(btc_perpetual(), {BTC: TICKS}, (btc_perpetual(),), {})
    assert found.has(Need.BARS)
    assert not found.coarse
    assert found.bar_ns == MINUTE


def test_too_few_instruments_are_said() -> None:
    """A strategy that needs two instruments says so on a feed with one."""
    found = assign(MOMENTUM_TRADER, ("BTC",), {BTC: TICKS}, (btc_perpetual(),), {}, at_least=2)
    assert found.cannot_run_because == "it needs 2 instruments and the feed has 1"
