"""A sample of `tools/bench/edge_guard.py`: planted edge is found, none is refused."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from hean.strategies import TABLE

TOOL = Path(__file__).parents[2] / "tools" / "bench" / "edge_guard.py"
SEEDS, TRADES = 20, 300
SAMPLE = ("hf_scalping", "impulse_engine", "enhanced_grid", "correlation_arb")


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    """Return the tool as a module."""
    spec = importlib.util.spec_from_file_location("edge_guard_bench", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", SAMPLE)
def test_no_edge_is_refused(bench: ModuleType, name: str) -> None:
    """I11: on walks the mean gross lies within 3 SE of 0, and at most 5 % become ACTIVE."""
    (shape,) = [one for one in bench.SHAPES if one.strategy == name]
    found = bench.study(shape, SEEDS, TRADES, 0.0)
    assert found["trades"] == SEEDS * TRADES
    assert abs(found["gross_bp"]) <= 3.0 * found["gross_error_bp"]
    assert found["ever_active"] <= 0.05
    assert found["net_bp"] < 0.0


@pytest.mark.parametrize("name", SAMPLE)
def test_a_planted_edge_is_found(bench: ModuleType, name: str) -> None:
    """I12: three costs planted in each entry promote every seed, and net is above 0."""
    (shape,) = [one for one in bench.SHAPES if one.strategy == name]
    found = bench.study(shape, SEEDS, TRADES, 3.0 * shape.cost_bp)
    assert found["ever_promoted"] == 1.0
    assert found["net_bp"] > 0.0


def test_every_strategy_has_its_shape(bench: ModuleType) -> None:
    """The bench covers the whole table."""
    assert {one.strategy for one in bench.SHAPES} == {row.strategy for row in TABLE}
