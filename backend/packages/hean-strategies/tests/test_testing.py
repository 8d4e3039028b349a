from __future__ import annotations

import msgspec
import pytest

from hean.core.errors import StrategyError
from hean.core.events import Event, Need, Quote
from hean.core.synthetic.paths import bar_log, walk
from hean.core.testing import BTC, MINUTE, START, btc_perpetual
from hean.strategies.base import Parameters
from hean.strategies.bench import Log
from hean.strategies.decisions import Outputs
from hean.strategies.momentum_trader import (
    MomentumSettings,
    MomentumState,
    MomentumTrader,
    step,
)
from hean.strategies.testing import check_strategy, mirror_log

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
    with pytest.raises(StrategyError, match=f"^{invariant}:"):
        check_strategy(kind, _log())


def test_mirroring_twice_gives_the_log_back() -> None:
    """A mirrored quote is ordered, and its mirror image is the quote itself."""
    log = _log(1)
    once, twice = mirror_log(log), mirror_log(mirror_log(log))
    first = next(one for one in once.events if isinstance(one, Quote))
    assert first.bid < first.ask
    for before, after in zip(log.events, twice.events, strict=True):
        if isinstance(before, Quote) and isinstance(after, Quote):
            assert after.bid == pytest.approx(before.bid, rel=1e-6)
            assert msgspec.structs.replace(after, bid=0, ask=0) == msgspec.structs.replace(
                before, bid=0, ask=0
            )
