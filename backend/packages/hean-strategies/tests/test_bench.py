from __future__ import annotations

import pytest

from hean.core.events import Intent, Need, OrderStyle, ReasonCode, Signal
from hean.core.synthetic.paths import bar_log, walk
from hean.core.testing import BTC, MINUTE, START, btc_perpetual
from hean.strategies.bench import Bench, Log, build
from hean.strategies.momentum_trader import MomentumTrader

INTERVAL = 15 * MINUTE


def _log() -> Log:
    prices = walk(1, 9 * 96, start=60_000.0, sigma_bp=10.0, drift_bp=4.0)
    fall = walk(2, 96, start=prices[-1], sigma_bp=10.0, drift_bp=-8.0)
    return Log(
        instruments=(btc_perpetual(),),
        carries={BTC: (Need.QUOTES, Need.BARS)},
        events=bar_log(BTC, [*prices, *fall], begin=START, interval=INTERVAL, wick_bp=5.0),
        bar_intervals={BTC: INTERVAL},
    )


def _refuse(_: Signal) -> ReasonCode:
    return ReasonCode.KILL_SWITCH


def test_outcomes_carry_fees_of_both_ways() -> None:
    """An outcome's net is its gross less the fees of entry and exit."""
    log = _log()
    found = Bench(build(MomentumTrader, log), log).run(log.events)
    first = found.outcomes[0]
    entry = 2.0 if found.entries[-1].style is OrderStyle.POST_ONLY else 5.5
    assert first.gross_bp - first.net_bp == pytest.approx(entry + 5.5)


def test_a_refusing_gate_leaves_no_position() -> None:
    """With every entry refused nothing opens, and the strategy hears why."""
    log = _log()
    found = Bench(build(MomentumTrader, log), log, verdict=_refuse).run(log.events)
    assert found.entries
    assert not found.outcomes
    assert not [one for one in found.signals if one.intent is Intent.CLOSE]


def test_what_never_fills_opens_nothing() -> None:
    """Orders on the unfillable instrument end, taking ones too."""
    log = _log()
    found = Bench(build(MomentumTrader, log), log, unfillable=BTC).run(log.events)
    taking = [one for one in found.entries if one.style is OrderStyle.LIMIT_IOC]
    assert taking
    assert not found.positions
