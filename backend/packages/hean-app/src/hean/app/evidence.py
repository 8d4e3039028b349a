"""Evidence for the edge guard from an earlier run that the operator names (`EDGE_EVIDENCE`).

Read once, when a run begins, and journaled with each strategy's announcement: a restart or a
verification takes it from there, whatever has become of the earlier run. Net is not read: the
guard prices the outcomes at the fees of the run they are brought to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from hean.app.reports.trade_records import RECORDS, UNKNOWN, Kind, Trade, TradeRecords
from hean.core.errors import SettingsError
from hean.core.events import Evidence, PastOutcome, StrategyRegistered
from hean.core.journal import Segment, SqliteJournal
from hean.main import TradingSystem

_OTHERS: Final = "setting:STRATEGIES__OTHERS"


def bring_evidence(system: TradingSystem, journal: SqliteJournal) -> None:
    """Give a system, before its start, what `journal` has of it, else what `EDGE_EVIDENCE` has.

    Raises `SettingsError` for a directory that holds no run, `JournalError` for a broken journal.
    """
    found = recorded_evidence(journal)
    path = system.settings.edge_evidence
    if found is None:
        found = {} if path is None else read_evidence(path, system)
    system.take_evidence(found)


def recorded_evidence(journal: SqliteJournal) -> dict[str, Evidence] | None:
    """Return what a run began with, by strategy; None where it has not begun."""
    events = _registered(journal)
    if not events:
        return None
    return {one.strategy: one.evidence for one in events if one.evidence is not None}


def _registered(journal: SqliteJournal) -> list[StrategyRegistered]:
    events = [one.event() for one in journal.records((StrategyRegistered.__name__,))]
    return [one for one in events if isinstance(one, StrategyRegistered)]


def read_evidence(run_dir: Path, system: TradingSystem) -> dict[str, Evidence]:
    """Return what each strategy that runs in `system` had earned in the run at `run_dir`.

    Raises `SettingsError` where there is no run, `JournalError` where its journal is broken.
    """
    path = run_dir / "journal.db"
    if not path.is_file():
        raise SettingsError(
            f"EDGE_EVIDENCE={run_dir} holds no journal.db; give the directory of an earlier run"
        )
    journal = SqliteJournal(path, durable=False)
    try:
        journal.verify_chain()
        segments = journal.segments()
        records = TradeRecords().take_all(one.event() for one in journal.records(RECORDS))
    finally:
        journal.close()
    if not segments:
        raise SettingsError(f"EDGE_EVIDENCE={run_dir} holds an empty run; name another")
    known = frozenset(one.id for one in system.description.instruments)
    found: dict[str, Evidence] = {}
    for one in system.strategies.strategies:
        if one.runs:
            then = records.registered.get(one.name)
            trades = [trade for trade in records.trades if trade.strategy == one.name]
            found[one.name] = _evidence(one.registered(0), then, segments, trades, known)
    return found


def _evidence(
    now: StrategyRegistered,
    then: StrategyRegistered | None,
    segments: Sequence[Segment],
    trades: Sequence[Trade],
    known: frozenset[str],
) -> Evidence:
    source = segments[0].facts["run_id"]
    if then is None or not then.enabled or then.cannot_run_because:
        return Evidence(source=source, refusal="it did not run there")
    refusal = _difference(now, then, segments)
    if refusal:
        return Evidence(source=source, refusal=refusal)
    brought = then.evidence.outcomes if then.evidence is not None else ()
    walked = then.evidence.walk_forward if then.evidence is not None else None
    made = tuple(_past(one) for one in trades if one.promotes)
    usable = tuple(one for one in (*brought, *made) if _is_usable(one, known))
    left_out = len(brought) + len(made) - len(usable)
    if not usable and walked is None:
        refusal = "no outcomes that count" if not left_out else "none of its outcomes fits this run"
    return Evidence(
        source=source, refusal=refusal, outcomes=usable, left_out=left_out, walk_forward=walked
    )


def _difference(
    now: StrategyRegistered, then: StrategyRegistered, segments: Sequence[Segment]
) -> str:
    """Return what makes another strategy of it than the one whose outcomes these are."""
    if now.profile.version != then.profile.version:
        return f"version {then.profile.version} there, {now.profile.version} here"
    if now.profile.parameters_sha256 != then.profile.parameters_sha256:
        return "other parameters there"
    first, *later = (_parameters(one.facts, now.strategy) for one in segments)
    if any(one != first for one in later):
        return "its parameters were changed in the course of that run"
    return ""


def _parameters(facts: Mapping[str, str], strategy: str) -> dict[str, str]:
    own = f"setting:STRATEGIES__{strategy.upper()}__"
    return {name: text for name, text in facts.items() if name.startswith(own) or name == _OTHERS}


def _past(one: Trade) -> PastOutcome:
    fees = one.before_fees_bp - one.net_bp
    return PastOutcome(
        closed_at=one.closed_ns,
        instrument=one.opened_on,
        regime="" if one.regime == UNKNOWN else one.regime,
        is_real=one.kind is Kind.REAL,
        before_fees_bp=one.before_fees_bp,
        frictions_bp=one.claimed_cost_bp - fees if one.claimed_cost_bp > 0.0 else 0.0,
        shares=one.shares,
    )


def _is_usable(one: PastOutcome, known: frozenset[str]) -> bool:
    """Whether today's fees can be put on it: its instruments are here, its fills are told apart."""
    places = [share.instrument for share in one.shares]
    return bool(places) and one.instrument in known and all(name in known for name in places)


def evidence_lines(evidence: Mapping[str, Evidence], began: int) -> Iterable[str]:
    """Yield one sentence a strategy: how much was taken from which run, or why nothing was.

    Outcomes that closed once this run had begun (`began`, ns) are told apart: they look ahead.
    """
    for name, one in evidence.items():
        run = one.source[:12]
        if one.refusal:
            yield f"no evidence for {name} from run {run}: {one.refusal}"
        else:
            rest = f", {one.left_out} left out" if one.left_out else ""
            if one.walk_forward is not None:
                rest += f", a walk-forward of {one.walk_forward.days:.0f} days"
            ahead = len([past for past in one.outcomes if past.closed_at > began])
            if ahead:
                rest += f"; {ahead} closed after this run begins, which is to look ahead"
            yield f"evidence for {name} from run {run}: {len(one.outcomes)} outcomes{rest}"
