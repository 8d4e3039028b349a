"""The edge guard in reports: each cell with its mode and numbers, and what evidence was brought."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any, Final

from rich.table import Table

from hean.app.evidence import evidence_lines, recorded_evidence
from hean.app.reports.sections import card, table
from hean.core.edge import belief_of
from hean.core.events import Evidence, RunStarted
from hean.core.instruments import significant
from hean.core.journal import Snapshot, SqliteJournal
from hean.main import TradingSystem
from hean.risk.edge_cells import FAILED_PLAN, CellKey, EdgeCells, Track
from hean.risk.edge_guard import EdgeGuard, tracks_of

Values = dict[str, Any]
HEADS: Final = (
    "strategy", "cell", "mode", "outcomes", "real", "shadow", "imported", "mean bp", "belief bp",
    "cost bp",
)  # fmt: skip
_TEXTS: Final = (0, 1, 2)


def guard_of(system: TradingSystem) -> Values:
    """Return the guard of a system as plain values."""
    guard = system.risk.edge_guard
    facts = _facts(guard.tracks, system.evidence, system.description.first)
    return facts | {"enforces": guard.enforces}


def guard_of_run(journal: SqliteJournal, snapshot: Snapshot) -> Values:
    """Return the guard of a run as its newest snapshot has it."""
    tracks = tracks_of(snapshot.states[EdgeGuard.name])
    began = next((one.event().ts_init for one in journal.records((RunStarted.__name__,))), 0)
    return _facts(tracks, recorded_evidence(journal) or {}, began)


def _facts(tracks: Mapping[CellKey, Track], evidence: Mapping[str, Evidence], began: int) -> Values:
    cells = EdgeCells()
    cells.tracks = dict(tracks)
    narrow = [key for key, one in tracks.items() if key[2] and one.cell.outcomes]
    return {
        "cells": [_cell(key, cells) for key in sorted(narrow)],
        "evidence": {
            name: {
                "source": one.source,
                "refusal": one.refusal,
                "outcomes": len(one.outcomes),
                "left_out": one.left_out,
            }
            for name, one in evidence.items()
        },
        "evidence_lines": list(evidence_lines(evidence, began)),
    }


def _cell(key: CellKey, cells: EdgeCells) -> Values:
    """Return a cell; it is believed by its pooled outcomes, but a failed plan by nothing."""
    track = cells.track(key)
    belief = None
    if key[2] != FAILED_PLAN:
        belief = significant(belief_of(cells.pooled(key), track.cost_bp).mean_bp)
    return {
        "strategy": key[0],
        "cell": "/".join(key[1:]),
        "mode": track.mode.value,
        "outcomes": track.cell.outcomes,
        "real": track.real,
        "shadow": track.shadow,
        "imported": track.imported,
        "mean_bp": significant(track.cell.mean),
        "belief_bp": belief,
        "cost_bp": significant(track.cost_bp),
    }


def guard_row(cell: Values) -> list[str]:
    """Return a cell as the columns of `HEADS` show it."""
    belief = "-" if cell["belief_bp"] is None else f"{cell['belief_bp']:+.1f}"
    counts = [f"{cell[name]:,}" for name in ("outcomes", "real", "shadow", "imported")]
    texts = [cell["strategy"], cell["cell"], cell["mode"]]
    return [*texts, *counts, f"{cell['mean_bp']:+.1f}", belief, f"{cell['cost_bp']:.1f}"]


def guard_table(guard: Values) -> Table:
    """Return the cells for a terminal."""
    found = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for place, name in enumerate(HEADS):
        found.add_column(name, no_wrap=True, justify="left" if place in _TEXTS else "right")
    for cell in guard["cells"]:
        found.add_row(*guard_row(cell))
    return found


def guard_card(guard: Values) -> str:
    """Return the cells and the evidence for `report.html`."""
    rows = [[escape(text) for text in guard_row(cell)] for cell in guard["cells"]]
    body = table(HEADS, rows, _TEXTS) if rows else '<p class="sub">No outcome yet.</p>'
    body += "".join(f'<p class="hint">{escape(line)}</p>' for line in guard["evidence_lines"])
    word = "Refuses what has not proven itself." if guard["enforces"] else "Observes only."
    return card("Edge guard", f"{word} Outcomes by cell, net in bp; belief is shrunk.", body)
