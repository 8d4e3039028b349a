from __future__ import annotations

import pytest

from hean.core.events import Need, Regime
from hean.strategies.spec import MOMENTUM_TRADER, TABLE, SpecRow

R, N, I = Regime.RANGE, Regime.NORMAL, Regime.IMPULSE  # noqa: E741
OPEN_IN = {
    "hf_scalping": {R, N},
    "inventory_neutral_mm": {R, N},
    "rebate_farmer": {R, N},
    "basis_arbitrage": {R, N},
    "correlation_arb": {R, N},
    "enhanced_grid": {R},
    "impulse_engine": {N, I},
    "liquidity_sweep": {N, I},
    "momentum_trader": {N, I},
    "funding_harvester": {R, N, I},
    "sentiment_strategy": {R, N, I},
}


def test_the_table_has_the_eleven() -> None:
    """Eleven rows with eleven names."""
    assert {row.strategy for row in TABLE} == set(OPEN_IN)
    assert len(TABLE) == 11


@pytest.mark.parametrize("row", TABLE, ids=[row.strategy for row in TABLE])
def test_a_row_opens_in_its_regimes_only(row: SpecRow) -> None:
    """The regime matrix of the documentation is the table's."""
    assert set(row.regimes) == OPEN_IN[row.strategy]


@pytest.mark.parametrize("row", TABLE, ids=[row.strategy for row in TABLE])
def test_a_row_is_whole(row: SpecRow) -> None:
    """Each row needs quotes, has a universe, bounds in order, and reads nothing twice."""
    assert Need.QUOTES in row.needs
    assert not set(row.needs) & set(row.optional_needs)
    assert row.universe
    assert all(one.low < one.high for one in row.tunables)


def test_unknown_tunables_have_no_bounds() -> None:
    """Bounds of a name that the row lacks raise KeyError."""
    assert MOMENTUM_TRADER.bounds("enter") == (0.3, 0.8)
    with pytest.raises(KeyError):
        MOMENTUM_TRADER.bounds("exit")
