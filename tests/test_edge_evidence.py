"""What a strategy earned in one run counts in the next, where the operator names the run.

The market is made so that an edge is there: every three hours a perpetual stands 1.5 % above its
spot and comes back with a half-life of twenty minutes. BasisArbitrage finds it on bars.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hean.app.strategy_selection import enabling
from hean.app.testing import (
    FinishedRun,
    finish_run,
    make_bar_dataset,
    open_dataset,
    read_columns,
    settings_with,
    write_columns,
)
from hean.core.errors import StateError
from hean.core.events import (
    EdgeGuardChanged,
    Evidence,
    GuardMode,
    PositionClosed,
    StrategyRegistered,
)

Command = Callable[..., tuple[int, str, str]]
NAME = "basis_arbitrage"
CELL = (NAME, "majors", "NORMAL")
BASE = {**enabling((NAME,)), "INITIAL_CAPITAL": "3000"}
EVERY, HALF_LIFE, PEAK = 36, 4.0, 0.015
DIGITS = {"BTC": 1, "ETH": 2}


def _plant(directory: Path, days: int) -> Path:
    """Write the dataset; the two coins' gaps open half a period apart."""
    target = make_bar_dataset(directory, days=days, coins=2, spot=True)
    for shift, (coin, digits) in enumerate(DIGITS.items()):
        spot = read_columns(directory / f"bars-{coin}USDT-SPOT.BYBIT.parquet")
        path = directory / f"bars-{coin}USDT-PERP.BYBIT.parquet"
        perp = read_columns(path)
        gaps = [
            PEAK * 0.5 ** (((number + shift * EVERY // 2) % EVERY) / HALF_LIFE)
            for number in range(len(perp["close"]))
        ]
        before = [gaps[0], *gaps[:-1]]
        for name, gap in (("open", before), ("high", gaps), ("low", gaps), ("close", gaps)):
            level = zip(spot[name], gap, strict=True)
            perp[name] = [round(price * (1.0 + part), digits) for price, part in level]
        rows = list(zip(perp["open"], perp["high"], perp["low"], perp["close"], strict=True))
        perp["high"], perp["low"] = [max(row) for row in rows], [min(row) for row in rows]
        write_columns(path, perp)
    return target


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine days of the market."""
    return _plant(tmp_path_factory.mktemp("planted"), 9)


@pytest.fixture(scope="module")
def earlier(planted: Path, tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """A run that observes, and earns."""
    directory = tmp_path_factory.mktemp("earlier")
    return finish_run(open_dataset(planted, directory, settings_with(**BASE)))


def _enforcing(run_dir: Path | None, **more: str) -> dict[str, str]:
    named = {} if run_dir is None else {"EDGE_EVIDENCE": str(run_dir)}
    return {**BASE, "EDGE_GUARD": "enforce", **named, **more}


@pytest.fixture(scope="module")
def later(
    planted: Path, earlier: FinishedRun, tmp_path_factory: pytest.TempPathFactory
) -> FinishedRun:
    """A run on the same market that enforces, with the earlier one named; that one then moves."""
    directory = tmp_path_factory.mktemp("later")
    named = Path(shutil.copytree(earlier.directory, directory / "named"))
    found = finish_run(open_dataset(planted, directory, settings_with(**_enforcing(named))))
    shutil.rmtree(named)
    return found


def _brought(run: FinishedRun) -> Evidence:
    """Return the evidence in a run's journal."""
    (one,) = (
        event.evidence
        for event in run.events("StrategyRegistered")
        if isinstance(event, StrategyRegistered) and event.evidence is not None
    )
    return one


def _first(planted: Path, directory: Path, settings: dict[str, str]) -> tuple[Evidence, float]:
    """Start a run, take nothing, and return its evidence and the mean of its cell."""
    session = open_dataset(planted, directory, settings_with(**settings))
    found = session.system.evidence[NAME]
    track = session.system.risk.edge_guard.tracks.get(CELL)
    session.journal.close()
    return found, 0.0 if track is None else track.cell.mean


def test_an_earned_cell_trades_under_enforce_from_the_start(
    earlier: FinishedRun, later: FinishedRun
) -> None:
    """The cell starts in PROBE by one recorded change, before any market data, and trades."""
    closed = earlier.events("PositionClosed")
    assert len(closed) >= 2 * 30
    brought = _brought(later)
    assert brought.source == earlier.summary["run_id"]
    assert 2 * len(brought.outcomes) == len(closed)
    changes = [one for one in later.events("EdgeGuardChanged") if isinstance(one, EdgeGuardChanged)]
    assert changes[0].previous is GuardMode.SHADOW
    assert changes[0].mode is GuardMode.PROBE
    assert changes[0].ts_init == later.events("RunStarted")[0].ts_init
    assert later.summary["order_requests"] > 0
    cells = {one["cell"]: one for one in later.summary["guard"]["cells"]}
    assert cells["majors/NORMAL"]["imported"] > 0
    assert cells["majors/NORMAL"]["real"] > 0


def test_without_evidence_nothing_trades_under_enforce(planted: Path, tmp_path: Path) -> None:
    """The same market and settings without a named run: no order."""
    settings = settings_with(**_enforcing(None))
    found = finish_run(open_dataset(planted, tmp_path, settings), None)
    assert found.summary["order_requests"] == 0
    assert found.summary["guard"]["evidence"] == {}


def test_a_group_of_two_legs_is_one_outcome_on_both(later: FinishedRun) -> None:
    """Each outcome pays fees on both: twice the larger leg, somewhat less the other."""
    for one in _brought(later).outcomes:
        legs = {share.instrument.split(".")[0][-4:]: share for share in one.shares}
        assert list(legs) == ["PERP", "SPOT"]
        dealt = sorted(share.maker + share.taker for share in legs.values())
        assert dealt[1] == pytest.approx(2.0, abs=0.1)
        assert 1.5 < dealt[0] <= dealt[1]


def test_a_run_with_evidence_verifies_though_the_named_run_is_gone(
    command: Command, later: FinishedRun
) -> None:
    """Replay takes the evidence from the journal: 0 differences and an equal journal."""
    code, out, _ = command("replay", later.directory, "--verify")
    assert code == 0
    assert "0 differences" in out
    assert "journal head equal" in out


def test_a_killed_run_goes_on_with_the_evidence_it_had(
    planted: Path, earlier: FinishedRun, later: FinishedRun, tmp_path: Path
) -> None:
    """Killed before its first snapshot and after it, with the named run changed: same journal."""
    named = Path(shutil.copytree(earlier.directory, tmp_path / "named"))
    settings = settings_with(**_enforcing(named))
    state = tmp_path / "state"
    state.mkdir()
    for events, keeps in ((3_000, False), (6_000, True)):
        session = open_dataset(planted, state, settings)
        for _ in range(events):
            event = session.next_event()
            assert event is not None
            session.take(event)
        if keeps:
            session.checkpoint()
        session.journal.commit()
        (named / "journal.db").unlink(missing_ok=True)
    found = finish_run(open_dataset(planted, state, settings))
    assert found.summary["journal_sha256"] == later.summary["journal_sha256"]


def test_a_restart_with_other_evidence_is_refused(
    planted: Path, earlier: FinishedRun, tmp_path: Path
) -> None:
    """A state directory belongs to the run it was begun with; another, or none, is told apart."""
    _first(planted, tmp_path, _enforcing(earlier.directory))
    for other in (None, tmp_path / "other"):
        with pytest.raises(StateError, match="was made with evidence"):
            open_dataset(planted, tmp_path, settings_with(**_enforcing(other)))


def test_dearer_fees_lower_net_by_exactly_themselves(
    planted: Path, earlier: FinishedRun, tmp_path: Path
) -> None:
    """At a taker fee 1 bp higher each past outcome nets less by 1 bp on each unit it took."""
    market = Path(shutil.copytree(planted.parent, tmp_path / "market"))
    rules = json.loads((market / "instruments.json").read_text())
    for one in rules:
        one["taker_fee"] = str(float(one["taker_fee"]) + 0.0001)
    (market / "instruments.json").write_text(json.dumps(rules))
    means: list[float] = []
    taken: list[float] = []
    for number, dataset in enumerate((planted, market / planted.name)):
        directory = tmp_path / str(number)
        directory.mkdir()
        found, mean = _first(dataset, directory, _enforcing(earlier.directory))
        means.append(mean)
        here = [one for one in found.outcomes if one.regime in ("", "NORMAL")]
        taken.append(sum(share.taker for one in here for share in one.shares) / len(here))
    assert taken[0] == taken[1] > 2.0
    assert means[0] - means[1] == pytest.approx(taken[0], abs=1e-6)


def test_todays_fees_reproduce_what_was_booked(earlier: FinishedRun, later: FinishedRun) -> None:
    """At unchanged fees the priced outcomes sum to what the ledger had closed, group by group."""
    booked = [one for one in earlier.events("PositionClosed") if isinstance(one, PositionClosed)]
    total = 0.0
    for first, second in zip(booked[::2], booked[1::2], strict=True):
        notional = max(abs(float(one.quantity * one.entry_price)) for one in (first, second))
        total += float(first.net + second.net) / notional * 1e4
    rates = {"PERP": (2.0, 5.5), "SPOT": (10.0, 10.0)}
    priced = 0.0
    for one in _brought(later).outcomes:
        priced += one.before_fees_bp
        for share in one.shares:
            maker, taker = rates[share.instrument.split(".")[0][-4:]]
            priced -= share.maker * maker + share.taker * taker
    assert priced == pytest.approx(total, abs=0.05)


def test_another_parameter_or_version_brings_nothing(
    planted: Path, earlier: FinishedRun, tmp_path: Path
) -> None:
    """With another entry threshold the strategy is another one: named once with the reason."""
    settings = _enforcing(earlier.directory, STRATEGIES__BASIS_ARBITRAGE__ENTER_SD="3")
    found, mean = _first(planted, tmp_path, settings)
    assert (found.refusal, found.outcomes, mean) == ("other parameters there", (), 0.0)


def test_evidence_is_handed_on(planted: Path, later: FinishedRun, tmp_path: Path) -> None:
    """A third run that names the second gets what the second had brought and what it earned."""
    found, _ = _first(planted, tmp_path, _enforcing(later.directory))
    own = len(later.events("PositionClosed")) // 2
    assert len(found.outcomes) == len(_brought(later).outcomes) + own


def test_a_directory_that_is_no_run_is_one_sentence(
    command: Command, planted: Path, tmp_path: Path
) -> None:
    """A wrong path ends the command with 2 and one clear sentence, before anything is written."""
    out_dir = tmp_path / "out"
    given = f"EDGE_EVIDENCE={tmp_path}"
    code, _, err = command("backtest", planted, "--set", given, "--out", out_dir)
    assert code == 2
    last = err.splitlines()[-1]
    assert last == f"error: {given} holds no journal.db; give the directory of an earlier run"
    assert not out_dir.exists()


def test_the_source_is_shown(command: Command, later: FinishedRun) -> None:
    """`hean-app strategies --run` and the report name the run, the count and each cell's mode."""
    code, out, _ = command("strategies", "--run", later.directory)
    assert code == 0
    run = later.summary["guard"]["evidence"][NAME]["source"][:12]
    count = len(_brought(later).outcomes)
    assert f"evidence for {NAME} from run {run}: {count} outcomes" in out
    assert "majors/NORMAL" in out
    assert "imported" in out
