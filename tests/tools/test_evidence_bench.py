"""A sample of `tools/bench/evidence.py`: the guard and the strategies' own trades."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from hean.strategies import TABLE

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    """Return the tool as a module."""
    spec = importlib.util.spec_from_file_location("evidence_bench", TOOLS / "bench" / "evidence.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_strategy_has_both_worlds(bench: ModuleType) -> None:
    """The bench covers the whole table."""
    assert set(bench.CASES) == {row.strategy for row in TABLE}


def test_news_that_means_nothing_is_never_trusted(bench: ModuleType) -> None:
    """I11: on two walks SentimentStrategy trades often, earns nothing, is never ACTIVE."""
    row = bench.study("sentiment_strategy", "walk", 2)
    assert row["trades"] > 60
    assert row["holds"]
    assert row["net_bp"] < 0.0


def test_spikes_of_the_basis_are_found(bench: ModuleType) -> None:
    """I12: on one log of planted spikes BasisArbitrage becomes ACTIVE, with its own pairs."""
    row = bench.study("basis_arbitrage", "planted", 1)
    assert row["holds"]
    assert row["ever_active"] == 1.0
    assert 30 <= row["median_to_probe"] <= row["median_to_active"]
