from __future__ import annotations

import msgspec
import pytest

from hean.core.errors import StrategyError
from hean.core.events import (
    Event,
    Heartbeat,
    Intent,
    Need,
    Quote,
    ReasonCode,
    Signal,
    SignalRejected,
    Trade,
)
from hean.core.synthetic.paths import bar_log, walk
from hean.core.synthetic.tape import seconds_of, tick_log
from hean.core.testing import BTC, MINUTE, START, btc_perpetual
from hean.strategies.base import Parameters
from hean.strategies.bench import Bench, Log, build
from hean.strategies.decisions import Outputs
from hean.strategies.momentum_trader import (
    MomentumSettings,
    MomentumState,
    MomentumTrader,
    step,
)
from hean.strategies.quote_bench import QuoteBench
from hean.strategies.testing import (
    check_exits,
    check_fees,
    check_frames,
    check_groups,
    check_regimes,
    check_strategy,
    check_time,
)

INTERVAL = 15 * MINUTE


def _log(days: int = 8) -> Log:
    prices = walk(1, days * 96, start=60_000.0, sigma_bp=10.0, drift_bp=4.0)
    return Log(
        instruments=(btc_perpetual(),),
        carries={BTC: (Need.QUOTES, Need.BARS)},
        events=bar_log(BTC, prices, begin=START, interval=INTERVAL, wick_bp=5.0),
        bar_intervals={BTC: INTERVAL},
    )


class Forgetful(MomentumTrader):
    """Loses an evaluation's answer: it counts more than it says."""

    @staticmethod
    def step(
        state: MomentumState, event: Event, parameters: Parameters[MomentumSettings]
    ) -> tuple[MomentumState, Outputs]:
        state, outputs = step(state, event, parameters)
        return state, outputs if event.ts_init % (60 * MINUTE) else ()


class Reminiscent(MomentumTrader):
    """Keeps something outside its state, which a restart forgets."""

    seen: int = 0

    def restore(self, state: bytes) -> None:
        super().restore(state)
        self.state.desks[BTC].armed = 0
        self.state.desks[BTC].returns.count -= 1


class Fixated(MomentumTrader):
    """Buys by the level of price, so that a rescaled market reads otherwise."""

    @staticmethod
    def step(
        state: MomentumState, event: Event, parameters: Parameters[MomentumSettings]
    ) -> tuple[MomentumState, Outputs]:
        if isinstance(event, Quote) and event.bid > 300_000.0:
            return state, ()
        return step(state, event, parameters)


class Calendar(MomentumTrader):
    """Goes by the date: it sleeps from the tenth of January on."""

    @staticmethod
    def step(
        state: MomentumState, event: Event, parameters: Parameters[MomentumSettings]
    ) -> tuple[MomentumState, Outputs]:
        if event.ts_init > START + 9 * 24 * 60 * MINUTE:
            return state, ()
        return step(state, event, parameters)


class Blind(MomentumTrader):
    """Looks after its position at bars alone."""

    @staticmethod
    def step(
        state: MomentumState, event: Event, parameters: Parameters[MomentumSettings]
    ) -> tuple[MomentumState, Outputs]:
        if isinstance(event, Quote | Heartbeat) and state.desks[BTC].holding is not None:
            return state, ()
        return step(state, event, parameters)


class Hasty(MomentumTrader):
    """Says that it rests before it looks at the regime."""

    @staticmethod
    def step(
        state: MomentumState, event: Event, parameters: Parameters[MomentumSettings]
    ) -> tuple[MomentumState, Outputs]:
        state, outputs = step(state, event, parameters)
        if state.sequence % 2:
            return state, outputs
        hurried: Outputs = ()
        for one in outputs:
            if isinstance(one, SignalRejected) and one.code is ReasonCode.REGIME:
                one = msgspec.structs.replace(one, layer="PACE", code=ReasonCode.COOLDOWN)
            hurried += (one,)
        return state, hurried


class Carefree(MomentumTrader):
    """Believes that trading always costs 11 bp."""

    @staticmethod
    def step(
        state: MomentumState, event: Event, parameters: Parameters[MomentumSettings]
    ) -> tuple[MomentumState, Outputs]:
        state, outputs = step(state, event, parameters)
        believed: Outputs = ()
        for one in outputs:
            if isinstance(one, Signal):
                one = msgspec.structs.replace(one, cost_bp=11.0)
            believed += (one,)
        return state, believed


class Halved(MomentumTrader):
    """Calls its entry the first leg of two, and never publishes the second."""

    @staticmethod
    def step(
        state: MomentumState, event: Event, parameters: Parameters[MomentumSettings]
    ) -> tuple[MomentumState, Outputs]:
        state, outputs = step(state, event, parameters)
        told: Outputs = ()
        for one in outputs:
            if isinstance(one, Signal) and one.intent is Intent.OPEN:
                one = msgspec.structs.replace(one, intent=Intent.LEG, group="g", leg=0, legs=2)
            told += (one,)
        return state, told


def _ran(kind: type[MomentumTrader], log: Log) -> Bench:
    return QuoteBench(build(kind, log), log).run(log.events)


def test_a_sound_strategy_passes() -> None:
    """MomentumTrader passes on a plain trend, in one line."""
    check_strategy(MomentumTrader, _log())


def test_a_silent_log_proves_nothing() -> None:
    """A log without an entry is refused as a proof."""
    with pytest.raises(StrategyError, match="never enters"):
        check_strategy(MomentumTrader, _log(2))


@pytest.mark.parametrize(
    ("kind", "invariant"), [(Forgetful, "I13"), (Reminiscent, "I10"), (Fixated, "I4")]
)
def test_a_broken_strategy_is_caught(kind: type[MomentumTrader], invariant: str) -> None:
    """Each fault is named by the invariant it breaks."""
    with pytest.raises(StrategyError, match=rf"^{invariant}:"):
        check_strategy(kind, _log())


def test_who_reads_the_date_is_caught() -> None:
    """I6: the same log a week later must give the same signals."""
    log = _log()
    check_time(MomentumTrader, log, _ran(MomentumTrader, log))
    with pytest.raises(StrategyError, match=r"^I6:"):
        check_time(Calendar, log, _ran(Calendar, log))


def test_who_leaves_only_with_its_bars_is_caught() -> None:
    """I7: with the bars gone, time and quotes must still end a position."""
    log = _log(13)
    check_exits(MomentumTrader, log, _ran(MomentumTrader, log))
    with pytest.raises(StrategyError, match=r"^I7: it never leaves once bars"):
        check_exits(Blind, log, _ran(Blind, log))


def test_who_looks_at_the_regime_too_late_is_caught() -> None:
    """I8: whatever passes data and session in a barred regime answers REGIME."""
    check_regimes(MomentumTrader, _log(6))
    with pytest.raises(StrategyError, match=r"^I8: it says COOLDOWN in RANGE"):
        check_regimes(Hasty, _log(6))


def test_who_knows_its_fees_by_heart_is_caught() -> None:
    """I9: the cost of an entry must rise with the account's fees."""
    check_fees(MomentumTrader, _log())
    with pytest.raises(StrategyError, match=r"^I9: its cost stays 11 bp"):
        check_fees(Carefree, _log())


def test_half_a_group_is_caught() -> None:
    """I14: a leg without its partner is no group."""
    log = _log()
    check_groups(MomentumTrader, log, _ran(MomentumTrader, log))
    with pytest.raises(StrategyError, match=r"^I14: group g is not whole"):
        check_groups(Halved, log, _ran(Halved, log))


def test_ticks_off_the_grid_are_caught() -> None:
    """I2: the kit makes frames of a log's ticks twice, and a log whose bits differ is named."""
    rules = btc_perpetual()
    ticks = tick_log(rules, seconds_of([60_000.0 + n % 7 for n in range(90)]), begin=START, seed=1)
    plain = [
        msgspec.structs.replace(one, count=1, buy_volume=0.0, sell_volume=0.0, largest=0.0)
        if isinstance(one, Trade)
        else one
        for one in ticks
    ]
    log = Log(instruments=(rules,), carries={BTC: (Need.QUOTES, Need.TRADES)}, events=plain)
    check_frames(log)
    late = [msgspec.structs.replace(one, ts_init=one.ts_init % MINUTE + START) for one in plain]
    with pytest.raises(StrategyError, match=r"^I2:"):
        check_frames(msgspec.structs.replace(log, events=late))
