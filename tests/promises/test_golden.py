"""Promise 1 over time and Pythons: two small runs decide what they decided when last agreed on.

After a change that is meant to change decisions, renew the file and look at its difference:

    RENEW_GOLDEN=1 uv run pytest tests/promises/test_golden.py
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hean.app.feeds.sim import START_NS
from hean.app.strategy_selection import enabling
from hean.app.testing import finish_run, open_dataset, open_simulation, settings_with

GOLDEN = Path(__file__).with_name("golden.json")
SIM_END_NS = START_NS + 10 * 60 * 10**9


def _of_bars(bars: Path, directory: Path) -> dict[str, object]:
    settings = settings_with(**enabling(("momentum_trader", "funding_harvester")))
    return finish_run(open_dataset(bars, directory, settings)).summary


def _of_sim(_: Path, directory: Path) -> dict[str, object]:
    settings = settings_with(
        **enabling(("hf_scalping",)),
        SIM__HISTORY_DAYS="0.2",
        SIM__HISTORY_TICK_HOURS="1.1",
        INITIAL_CAPITAL="1000",
    )
    return finish_run(open_simulation(directory, settings), SIM_END_NS).summary


@pytest.mark.parametrize(("name", "make"), [("bars", _of_bars), ("sim", _of_sim)])
def test_the_digest_is_the_golden_one(
    bars: Path, tmp_path: Path, name: str, make: Callable[[Path, Path], dict[str, object]]
) -> None:
    """The decisions of this run have the committed digest, on whatever Python runs this."""
    summary = make(bars, tmp_path)
    signals = summary["signals"]
    assert isinstance(signals, int)
    assert signals > 0
    told = {"decisions_sha256": summary["decisions_sha256"], "signals": signals}
    golden: dict[str, object] = json.loads(GOLDEN.read_text()) if GOLDEN.is_file() else {}
    if os.environ.get("RENEW_GOLDEN"):
        GOLDEN.write_text(json.dumps({**golden, name: told}, indent=2, sort_keys=True) + "\n")
        return
    assert told == golden[name], "decisions changed; see this file's first lines"
