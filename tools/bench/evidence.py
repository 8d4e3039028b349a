"""I11 and I12 on the strategies' own code: the whole system, one strategy on, EDGE_GUARD=observe.

usage: evidence.py [--seeds N] [--strategy NAME] [--world walk|planted]

One JSON line per strategy and world, then a table. On a walk the mean gross of a strategy's trades
must lie within 3 SE of 0 and at most 5 % of the seeds may ever have an ACTIVE cell (I11); with an
edge planted in the market every seed must leave SHADOW and the mean net be above 0 (I12).

Gross is measured from mid to mid at the moments of the fills' reports: a martingale where there is
no edge, whatever fills and stops cost. Net has prices, fees and funding in it. Both are of the
opening notional; a trade runs from flat to flat, a pair's legs are one.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, stdev
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.evidence_worlds import CASES, World
from hean.app.settings import AppSettings
from hean.app.strategy_selection import enabling
from hean.app.testing import settings_with
from hean.core.bus import Stage
from hean.core.events import (
    EdgeGuardChanged,
    Evidence,
    FundingPaid,
    GuardMode,
    Intent,
    OrderFilled,
    PositionClosed,
    PositionOpened,
    RefusedBy,
    Side,
    Signal,
    SignalRejected,
    WalkForward,
)
from hean.core.journal import MemoryJournal
from hean.main import TradingSystem
from hean.strategies import TABLE

MOST_ACTIVE = 0.05
ERRORS = 3.0
FREE_HANDS = {
    "EDGE_GUARD": "observe",
    "INITIAL_CAPITAL": "1000000",
    "PORTFOLIO__AUTOPILOT_ENABLED": "false",
    "RISK__LOSS_STREAK_ENABLED": "false",
    "RISK__MAX_DAILY_LOSS": "0.15",
    "RISK__KILL_DAY_LOSS": "0.9",
    "RISK__ANOMALY_JUMP": "0.5",
    "RISK__ANOMALY_CRASH": "0.5",
    "RISK__ANOMALY_Z": "50",
    "RISK__STRESS_CUSHION": "1.0",
    "RISK__CVAR_CUSHION": "1.0",
    "RISK_OF_BUDGET": "0.005",
    "MAX_TRADE_RISK": "0.002",
    "TRIAL_TRADE_RISK": "0.001",
}
"""What would stop a losing strategy is off or wide, and positions are small: what is looked at is
the strategy and the guard, and a losing one must be allowed to go on."""


@dataclass(frozen=True)
class Deal:
    """A fill: signed size, and the mid when it was told."""

    instrument: str
    size: float
    mid: float
    price: float
    fee: float

    def part(self, share: float) -> Deal:
        """Return a share of it: what closes a position, or what is left to open another."""
        return Deal(self.instrument, share * self.size, self.mid, self.price, share * self.fee)


@dataclass
class Trade:
    """One trade under way: what is held, the cash at mids and in fact, what was opened."""

    held: dict[str, float] = field(default_factory=dict[str, float])
    positions: dict[str, None] = field(default_factory=dict[str, None])
    at_mid: float = 0.0
    in_fact: float = 0.0
    opened: float = 0.0

    def book(self, deal: Deal) -> None:
        """Take a fill that does not cross zero."""
        before = self.held.get(deal.instrument, 0.0)
        if before * deal.size >= 0.0:
            self.opened += abs(deal.size) * deal.price
        self.at_mid -= deal.size * deal.mid
        self.in_fact -= deal.size * deal.price + deal.fee
        self.held[deal.instrument] = before + deal.size


class Witness:
    """Follows fills, funding and the guard of one run."""

    def __init__(self, system: TradingSystem, *, paired: bool) -> None:
        self._view = system.view
        self._paired = paired
        self._open: dict[str, Trade] = {}
        self._turned: dict[str, Deal] = {}
        self.gross: list[float] = []
        self.net: list[float] = []
        self.probe_after = self.active_after = 0
        self.refusals: Counter[str] = Counter()
        self.signals = 0
        bus, stage = system.bus, Stage.REPORTS
        bus.subscribe(OrderFilled, self._on_fill, stage=stage, owner="witness")
        bus.subscribe(PositionOpened, self._on_opened, stage=stage, owner="witness")
        bus.subscribe(PositionClosed, self._on_closed, stage=stage, owner="witness")
        bus.subscribe(FundingPaid, self._on_funding, stage=stage, owner="witness")
        bus.subscribe(EdgeGuardChanged, self._on_guard, stage=stage, owner="witness")
        bus.subscribe(Signal, self._on_signal, stage=stage, owner="witness")
        bus.subscribe(SignalRejected, self._on_refusal, stage=stage, owner="witness")

    def _trade(self, instrument: str) -> Trade:
        return self._open.setdefault("" if self._paired else instrument, Trade())

    def _on_fill(self, event: OrderFilled) -> None:
        trade, quote = self._trade(event.instrument), self._view.quotes[event.instrument]
        size, mid = float(event.quantity), (quote.bid + quote.ask) / 2.0
        signed = size if event.side is Side.BUY else -size
        deal = Deal(event.instrument, signed, mid, float(event.price), float(event.fee))
        before = trade.held.get(event.instrument, 0.0)
        if before * signed < 0.0 and size > abs(before) * (1.0 + 1e-9):
            share = abs(before) / size
            self._turned[event.instrument] = deal.part(1.0 - share)
            deal = deal.part(share)
        trade.book(deal)

    def _on_opened(self, event: PositionOpened) -> None:
        trade = self._trade(event.instrument)
        trade.positions[event.instrument] = None
        turned = self._turned.pop(event.instrument, None)
        if turned is not None:
            trade.book(turned)

    def _on_closed(self, event: PositionClosed) -> None:
        trade = self._trade(event.instrument)
        trade.positions.pop(event.instrument, None)
        if trade.positions:
            return
        del self._open["" if self._paired else event.instrument]
        notional = trade.opened / (2.0 if self._paired else 1.0)
        self.gross.append(1e4 * trade.at_mid / notional)
        self.net.append(1e4 * trade.in_fact / notional)

    def finish(self) -> None:
        """Count what is still open at the last mid: leaving it out would favour short trades."""
        for trade in self._open.values():
            value = 0.0
            for instrument, held in trade.held.items():
                quote = self._view.quotes[instrument]
                value += held * (quote.bid + quote.ask) / 2.0
            notional = trade.opened / (2.0 if self._paired else 1.0)
            self.gross.append(1e4 * (trade.at_mid + value) / notional)
            self.net.append(1e4 * (trade.in_fact + value) / notional)

    def _on_funding(self, event: FundingPaid) -> None:
        key = "" if self._paired else event.instrument
        if key in self._open:
            self._open[key].in_fact += float(event.amount)

    def _on_guard(self, event: EdgeGuardChanged) -> None:
        if event.mode is GuardMode.PROBE and not self.probe_after:
            self.probe_after = event.outcomes
        if event.mode is GuardMode.ACTIVE and not self.active_after:
            self.active_after = event.outcomes

    def _on_signal(self, event: Signal) -> None:
        self.signals += event.intent not in (Intent.CLOSE, Intent.REDUCE) and event.legs > 0

    def _on_refusal(self, event: SignalRejected) -> None:
        by_gate = event.refused_by is RefusedBy.GATE
        self.refusals[f"gate {event.code.value}" if by_gate else event.code.value] += 1


class Study:
    """Runs the seeds of one world through the system; a warm-up common to all is run once."""

    def __init__(self, strategy: str, world: World) -> None:
        self._world = world
        self._paired = strategy in ("funding_harvester", "basis_arbitrage", "correlation_arb")
        given = {**enabling((strategy,)), **FREE_HANDS}
        self._settings: AppSettings = settings_with(**given)
        self._states: dict[str, bytes] | None = None
        row = next(one for one in TABLE if one.strategy == strategy)
        self._evidence: dict[str, Evidence] = {}
        if row.walk_forward_days:
            walked = WalkForward(days=row.walk_forward_days, trades=400, mean_bp=10.0, t=3.0)
            self._evidence[strategy] = Evidence(source="given", walk_forward=walked)

    def _fresh(self) -> TradingSystem:
        """Return the system; a walk-forward that a card asks for is taken as borne out."""
        system = TradingSystem(
            settings=self._settings,
            description=self._world.description,
            journal=MemoryJournal(keep=False),
        )
        system.take_evidence(self._evidence)
        return system

    def run(self, seed: int) -> Witness:
        """Return what one seed came to."""
        if self._world.warm and self._states is None:
            system = self._fresh()
            system.start()
            for event in self._world.warm:
                system.kernel.take(event)
            self._states = dict(system.snapshot())
        system = self._fresh()
        if self._states is None:
            system.start()
        else:
            system.restore(self._states)
        witness = Witness(system, paired=self._paired)
        take = system.kernel.take
        for event in self._world.make(seed):
            take(event)
        witness.finish()
        failures = system.bus.statistics().failures
        if failures:
            raise RuntimeError(f"{failures} handlers failed, so that figures are not whole")
        return witness


def study(strategy: str, which: str, seeds: int) -> dict[str, Any]:
    """Return the figures of one strategy in one of its worlds."""
    case = CASES[strategy]()
    world = case.walk() if which == "walk" else case.planted()
    began, runner = time.process_time(), Study(strategy, world)
    count = max(1, round(seeds * world.seeds))
    runs = [runner.run(seed) for seed in range(count)]
    gross = [one for run in runs for one in run.gross]
    net = [one for run in runs for one in run.net]
    refusals: Counter[str] = Counter()
    for run in runs:
        refusals.update(run.refusals)
    probes = [run.probe_after for run in runs if run.probe_after]
    actives = [run.active_after for run in runs if run.active_after]
    row: dict[str, Any] = {
        "strategy": strategy,
        "world": which,
        "seeds": count,
        "trades": len(gross),
        "trades_a_seed": round(len(gross) / count, 1),
        "gross_bp": _mean(gross),
        "gross_error_bp": _error(gross),
        "net_bp": _mean(net),
        "ever_probe": round(len(probes) / count, 3),
        "ever_active": round(len(actives) / count, 3),
        "median_to_probe": median(probes) if probes else None,
        "median_to_active": median(actives) if actives else None,
        "signals_a_seed": round(sum(run.signals for run in runs) / count, 1),
        "refusals": dict(refusals.most_common(5)),
        "cpu_seconds": round(time.process_time() - began, 1),
    }
    row["holds"] = is_luck(row) if which == "walk" else is_found(row)
    return row


def _mean(values: list[float]) -> float | None:
    return round(math.fsum(values) / len(values), 3) if values else None


def _error(values: list[float]) -> float | None:
    return round(stdev(values) / math.sqrt(len(values)), 3) if len(values) > 1 else None


def is_luck(row: dict[str, Any]) -> bool:
    """Return whether I11 holds; without trades it holds trivially, and the row says so."""
    mean, error = row["gross_bp"], row["gross_error_bp"]
    near = mean is None or error is None or abs(mean) <= ERRORS * error
    return bool(near and row["ever_active"] <= MOST_ACTIVE)


def is_found(row: dict[str, Any]) -> bool:
    """Return whether I12 holds: every seed promoted, net above 0; ACTIVE takes longer."""
    return bool(row["ever_probe"] == 1.0 and (row["net_bp"] or 0.0) > 0.0)


COLUMNS = (
    "strategy", "world", "seeds", "trades", "trades_a_seed", "gross_bp", "gross_error_bp",
    "net_bp", "ever_probe", "ever_active", "median_to_probe", "median_to_active", "holds",
    "cpu_seconds",
)  # fmt: skip


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a table in Markdown."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    for row in rows:
        cells = ["-" if row[name] is None else str(row[name]) for name in COLUMNS]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--strategy", choices=tuple(CASES), action="append")
    parser.add_argument("--world", choices=("walk", "planted"), action="append")
    given = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for strategy in given.strategy or tuple(CASES):
        for which in given.world or ("walk", "planted"):
            rows.append(study(strategy, which, given.seeds))
            print(json.dumps(rows[-1]), flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
