"""Capital and limits are decided in the same bytes anywhere, and no shadow outcome moves them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hean.app.testing import FinishedRun, open_dataset, settings_with
from hean.core.bus import Stage
from hean.core.events import (
    ActiveStrategiesChanged,
    CapitalAllocated,
    Event,
    RiskEnvelope,
    ShadowClosed,
    Side,
)
from hean.core.events.union import encode
from hean.main import TradingSystem

DIGEST = """
import sys, tempfile
from hashlib import sha256
from pathlib import Path
from hean.app.testing import finish_run, open_dataset, settings_with
from hean.core.bus import Stage
from hean.core.events import ActiveStrategiesChanged, CapitalAllocated, RiskEnvelope
from hean.core.events.union import encode
found = {kind: sha256() for kind in (ActiveStrategiesChanged, CapitalAllocated, RiskEnvelope)}
counts = dict.fromkeys(found, 0)
def note(event):
    found[type(event)].update(encode(event))
    counts[type(event)] += 1
def watch(system):
    for kind in found:
        system.bus.subscribe(kind, note, stage=Stage.REPORTS, owner="witness")
with tempfile.TemporaryDirectory() as folder:
    finish_run(open_dataset(Path(sys.argv[1]), Path(folder), settings_with(), watch=watch))
print([(kind.__name__, counts[kind], found[kind].hexdigest()) for kind in found])
"""


def _digests(bars: Path, hash_seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", DIGEST, str(bars)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )
    return done.stdout


def test_capital_active_sets_and_envelopes_are_equal_in_another_process(bars: Path) -> None:
    """J15: every allocation, active set and envelope is the same bytes under any hash seed."""
    one, other = _digests(bars, "1"), _digests(bars, "4711")
    assert one == other
    assert "('CapitalAllocated', 0" not in one
    assert "('RiskEnvelope', 0" not in one


def _shadow(system: TradingSystem, number: int, net_bp: float) -> ShadowClosed:
    now = system.agenda.now
    return ShadowClosed(
        ts_event=now, ts_init=now, strategy="momentum_trader", instrument="BTCUSDT-PERP.BYBIT",
        side=Side.BUY, opened_at=now - 10**9, entry_price=100.0, exit_price=101.0,
        gross_bp=net_bp + 13.0, fees_bp=13.0, funding_bp=0.0, net_bp=net_bp, stop_bp=100.0,
        r_multiple=net_bp / 100.0, mae_r=0.0, mfe_r=0.0, regime=None, phase=None, cycle=None,
        exit_reason="TARGET", signal_id=f"shadow-{number}", refusal="EDGE",
    )  # fmt: skip


def _standing(system: TradingSystem) -> tuple[object, ...]:
    """Return money, slots, limits and budgets."""
    system.risk.sentinel.refresh()
    envelope = system.risk.sentinel.envelope()
    return (
        system.wallet,
        system.portfolio.equity.equity,
        system.tracker.statistics(),
        [(one.strategy, one.budget, one.active) for one in envelope.strategies],
        (envelope.open_risk_limit, envelope.gross_limit, envelope.stress_limit),
        system.risk.governor.multiplier,
    )


@pytest.mark.parametrize("net_bp", [900.0, -900.0])
def test_shadow_outcomes_move_nothing_by_themselves(
    bars: Path, tmp_path: Path, net_bp: float
) -> None:
    """J16: 200 outcomes of the shadow book leave money, slots, limits and budgets as they are."""
    published: list[Event] = []
    session = open_dataset(bars, tmp_path, settings_with())
    system = session.system
    for _ in range(5000):
        event = session.next_event()
        assert event is not None
        session.take(event)
    before = _standing(system)
    for kind in (CapitalAllocated, ActiveStrategiesChanged, RiskEnvelope):
        system.bus.subscribe(kind, published.append, stage=Stage.REPORTS, owner="witness")
    for number in range(200):
        system.kernel.take(_shadow(system, number, net_bp))
    after = _standing(system)
    session.journal.close()
    assert before == after
    assert not [one for one in published if not isinstance(one, RiskEnvelope)]


def test_an_envelope_is_never_mixed(
    bar_run: FinishedRun, witnessed: dict[type[Event], list[Event]]
) -> None:
    """J3, J4: each envelope's budgets come from one object, and the inactive have none."""
    assert bar_run.summary["fills"] > 0
    seen = [one for one in witnessed[RiskEnvelope] if isinstance(one, RiskEnvelope)]
    for one in seen:
        total = sum(line.budget for line in one.strategies)
        assert total == one.budgets_sum <= one.deployable
        assert all(line.active or line.budget == 0 for line in one.strategies)
        assert encode(one)
