from __future__ import annotations

from pathlib import Path

import pytest

from hean.app.docs_tables import pages, strategy_section, write_pages
from hean.app.settings import AppSettings
from hean.config import settings_of
from hean.core.events import ReasonCode
from hean.strategies import load_strategies, note_of

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"


@pytest.mark.parametrize("name", sorted(pages()))
def test_the_committed_page_is_what_the_code_says(name: str) -> None:
    """Whoever changes a reason, setting or strategy writes the pages again."""
    committed = (REFERENCE / name).read_text(encoding="utf-8")
    assert committed == pages()[name], (
        "run: uv run python -m hean.app.docs_tables backend/docs/reference"
    )


def test_every_reason_setting_and_strategy_is_on_its_page() -> None:
    """Nothing is left out of the tables."""
    found = pages()
    assert all(f"`{code.value}`" in found["reasons.md"] for code in ReasonCode)
    assert all(f"`{one.name}`" in found["settings.md"] for one in settings_of(AppSettings))
    assert all(f"`{name}`" in found["strategies.md"] for name in load_strategies())


@pytest.mark.parametrize("name", list(load_strategies()))
def test_each_strategy_has_its_section(name: str) -> None:
    """Each section says what it needs, how it trades, what to expect, and bounds its tunables."""
    kind = load_strategies()[name]
    note, section = note_of(kind), strategy_section(name, kind)
    assert section.startswith(f"## {kind.__name__} (`{name}`)")
    for words in (note.purpose, note.orders, note.exits, note.expected, note.edge):
        assert words in section
    assert all(one in section for one in note.literature)
    for one in kind.row.tunables:
        assert f"__{one.name.upper()}` |" in section
        assert f"| {one.low:g} to {one.high:g} |" in section


def test_no_row_breaks_its_table() -> None:
    """Within a table every row has as many cells as the head."""
    for text in pages().values():
        columns = 0
        for line in text.splitlines():
            if not line.startswith("|"):
                columns = 0
                continue
            cells = line.replace("\\|", "").count("|")
            columns = columns or cells
            assert cells == columns, line


def test_pages_are_written_where_asked(tmp_path: Path) -> None:
    """Each page becomes a file of its name."""
    written = write_pages(tmp_path / "reference")
    assert sorted(path.name for path in written) == sorted(pages())
    assert all(path.read_text(encoding="utf-8").startswith("<!--") for path in written)
