"""A strategy from a package that this workspace does not know takes part like our own."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Callable
from importlib import import_module, invalidate_caches
from pathlib import Path
from typing import Any

import pytest

from hean.app.cli import main
from hean.app.strategy_selection import enabling
from hean.app.testing import finish_run, open_dataset, settings_with
from hean.core.bus import Stage
from hean.core.errors import SettingsError
from hean.core.events import (
    CapitalAllocated,
    Event,
    OrderRequest,
    RefusedBy,
    Signal,
    SignalRejected,
    SignalWithdrawn,
    StrategyRegistered,
)
from hean.main import TradingSystem
from hean.strategies import load_strategies
from hean.strategies.testing import check_strategy, trend_log

PACKAGE = Path(__file__).parent / "outside_strategy"
NAME = "outside_fade"
KINDS = (
    StrategyRegistered, Signal, OrderRequest, SignalRejected, SignalWithdrawn, CapitalAllocated,
)  # fmt: skip
Said = dict[type[Event], list[Any]]
Backtest = Callable[..., Said]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the package on the path as an installer would: its source and its metadata."""
    project: dict[str, Any] = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    name = f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata = tmp_path / "site" / name
    metadata.mkdir(parents=True)
    head = f"Metadata-Version: 2.4\nName: {project['name']}\nVersion: {project['version']}\n"
    (metadata / "METADATA").write_text(head)
    lines = [
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in points.items())
        for group, points in project["entry-points"].items()
    ]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.setattr(sys, "path", [str(metadata.parent), str(PACKAGE / "src"), *sys.path])
    invalidate_caches()


@pytest.fixture
def backtest(installed: None, bars: Path, tmp_path: Path) -> Backtest:
    """Run the shared dataset with the stranger and one of ours; return what was published."""
    del installed

    def run(folder: str, **others: object) -> Said:
        said: Said = {kind: [] for kind in KINDS}

        def watch(system: TradingSystem) -> None:
            for kind, found in said.items():
                system.bus.subscribe(kind, found.append, stage=Stage.REPORTS, owner="witness")

        given = enabling((NAME, "momentum_trader"))
        if others:
            given["STRATEGIES__OTHERS"] = json.dumps({NAME: others})
        (tmp_path / folder).mkdir()
        settings = settings_with(**given, INITIAL_CAPITAL="5000")
        finish_run(open_dataset(bars, tmp_path / folder, settings, watch=watch))
        return said

    return run


def _own(said: Said, kind: type[Event]) -> list[Any]:
    return [one for one in said[kind] if one.strategy == NAME]


def test_it_is_found_by_its_entry_point(installed: None) -> None:
    """Beside ours stands the stranger's class, from its own package."""
    del installed
    found = load_strategies()
    assert found[NAME].__module__ == "outside_fade.strategy"
    assert list(found)[-1] == NAME


def test_it_passes_the_kit(installed: None) -> None:
    """The invariants of our strategies hold for it, in one line."""
    del installed
    check_strategy(import_module(NAME).OutsideFade, trend_log())


def test_it_trades_under_the_same_rules(backtest: Backtest) -> None:
    """It is registered, gets capital, and each of its signals ends in exactly one decision."""
    run = backtest("on")
    (registered,) = _own(run, StrategyRegistered)
    assert registered.enabled
    assert not registered.cannot_run_because
    signals = [one.signal_id for one in _own(run, Signal)]
    ordered = [one.signal_id for one in _own(run, OrderRequest) if one.signal_id]
    refused = [
        one.signal_id for one in _own(run, SignalRejected) if one.refused_by is RefusedBy.GATE
    ]
    withdrawn = [one.signal_id for one in _own(run, SignalWithdrawn) if one.signal_id]
    assert ordered
    assert sorted(signals) == sorted(ordered + refused + withdrawn)
    lines = [line for one in run[CapitalAllocated] for line in one.lines]
    assert any(line.strategy == NAME and line.weight > 0.0 for line in lines)


def test_it_is_switched_off_by_setting(backtest: Backtest) -> None:
    """With `enabled` false in STRATEGIES__OTHERS it is known, and says nothing."""
    run = backtest("off", enabled=False)
    (registered,) = _own(run, StrategyRegistered)
    assert not registered.enabled
    assert not _own(run, Signal)
    assert not _own(run, OrderRequest)


def test_its_bounds_hold(backtest: Backtest) -> None:
    """A value outside the bounds of its own row is refused in one sentence."""
    with pytest.raises(SettingsError, match=r"outside_fade\.move does not fit"):
        backtest("bad", move=99)


def test_without_the_package_its_settings_are_strange(bars: Path, tmp_path: Path) -> None:
    """Settings of a strategy that is not installed are refused by name."""
    settings = settings_with(STRATEGIES__OTHERS=json.dumps({NAME: {"enabled": True}}))
    with pytest.raises(SettingsError, match="outside_fade, which is not installed"):
        open_dataset(bars, tmp_path, settings)


def test_the_list_names_its_package(
    installed: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`hean-app strategies` shows the stranger with its package, needs and own words."""
    del installed
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["hean-app", "strategies", "--json"])
    with pytest.raises(SystemExit):
        main()
    rows = json.loads(capsys.readouterr().out)["strategies"]
    (row,) = [one for one in rows if one["id"] == NAME]
    assert row["package"] == "outside-fade"
    assert row["needs"] == ["Q", "B"]
    assert row["edge"] == "None; it stands for a stranger's strategy."
