"""Where every installed strategy may open, and that each of them is held to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hean.core.events import Intent, Regime, RegimeChanged, Signal
from hean.core.testing import BTC
from hean.strategies import TABLE, load_strategies
from hean.strategies.bench import Bench, build
from hean.strategies.registry import AnyStrategy
from hean.strategies.testing import trend_log

R, N, I = Regime.RANGE, Regime.NORMAL, Regime.IMPULSE  # noqa: E741
MATRIX = {
    "hf_scalping": {R, N},
    "inventory_neutral_mm": {R, N},
    "rebate_farmer": {R, N},
    "impulse_engine": {N, I},
    "liquidity_sweep": {N, I},
    "momentum_trader": {N, I},
    "enhanced_grid": {R},
    "funding_harvester": {R, N, I},
    "basis_arbitrage": {R, N},
    "correlation_arb": {R, N},
    "sentiment_strategy": {R, N, I},
}
OURS = {name: kind for name, kind in load_strategies().items() if name in MATRIX}


def test_all_eleven_are_installed() -> None:
    """Every row of the table has its strategy."""
    assert list(OURS) == [row.strategy for row in TABLE]


@pytest.mark.parametrize(("name", "kind"), OURS.items(), ids=list(OURS))
def test_the_matrix_is_the_rows(name: str, kind: type[AnyStrategy]) -> None:
    """An installed strategy carries its row of the table, whose regimes are the matrix's."""
    assert kind.row in TABLE
    assert set(kind.row.regimes) == MATRIX[name]


@pytest.mark.parametrize(("name", "kind"), OURS.items(), ids=list(OURS))
def test_the_kit_holds_it_to_its_regimes(name: str, kind: type[AnyStrategy]) -> None:
    """Each one's own tests run the kit, whose I8 puts it into every regime it may not open in."""
    text = (Path(__file__).parent / f"test_{name}.py").read_text(encoding="utf-8")
    assert f"    check_strategy({kind.__name__}, " in text


@pytest.mark.parametrize("regime", [R, N])
def test_a_trend_is_entered_where_the_row_allows_it(regime: Regime) -> None:
    """On one and the same trend MomentumTrader enters in NORMAL and not in RANGE."""
    log = trend_log()
    first = log.events[0].ts_init
    told = RegimeChanged(
        ts_event=first, ts_init=first, instrument=BTC, ready=True, regime=regime, phase=None,
        cycle=None, regime_confidence=1.0, phase_confidence=0.0, cycle_confidence=0.0,
        moved=("regime",),
    )  # fmt: skip
    bench = Bench(build(OURS["momentum_trader"], log), log).run([told, *log.events])
    entered = [one for one in bench.said if isinstance(one, Signal) and one.intent is Intent.OPEN]
    assert bool(entered) == (regime in MATRIX["momentum_trader"])
