from __future__ import annotations

from pathlib import Path

from hean.app.reports.capital_sections import capital_cards

START = 1_759_276_800_000_000_000
DAY = 86_400_000_000_000


def test_the_cards_say_what_the_tables_hold(capital_directory: Path) -> None:
    """Beliefs with intervals, a bar for each active spell, verdicts, correlation and losers."""
    cards = "".join(
        capital_cards(capital_directory, {"momentum_trader": 1}, START, START + 4 * DAY)
    )
    for wanted in (
        "Weights at the end", "What AutoPilot believes", "1 changes", "saved", "-19.67 to -10.33",
        "How strategies move together", "+0.60", "momentum_trader 3",
    ):  # fmt: skip
        assert wanted in cards
    assert cards.count("<rect") == 3


def test_an_empty_run_has_its_cards(tmp_path: Path, empty_tables: object) -> None:
    """A run in which nothing was decided still has every card, each saying so."""
    assert callable(empty_tables)
    empty_tables(tmp_path)
    cards = "".join(capital_cards(tmp_path, {}, START, START))
    for wanted in ("Nobody was given any", "It never decided", "too short", "Nothing was refused"):
        assert wanted in cards
