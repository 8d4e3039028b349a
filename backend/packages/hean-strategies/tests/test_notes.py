from __future__ import annotations

from hean.strategies import NOTES, TABLE, MomentumTrader, StrategyNote, note_of


class Foreign(MomentumTrader):
    """Trades by the phase of the moon."""


class Outspoken(MomentumTrader):
    """Has a note of its own."""

    note = StrategyNote(purpose="Its own.", expected="Nothing.")


def test_each_of_ours_has_a_whole_note() -> None:
    """All eleven say purpose, orders, exits, expectation, edge, and who wrote about it."""
    assert list(NOTES) == [row.strategy for row in TABLE]
    for note in NOTES.values():
        for words in (note.purpose, note.orders, note.exits, note.expected, note.edge):
            assert words.endswith(".")
        assert note.literature


def test_a_class_may_bring_its_own_note() -> None:
    """A note on the class wins over ours."""
    assert note_of(Outspoken).purpose == "Its own."


def test_without_a_note_the_docstring_speaks() -> None:
    """A strategy from elsewhere without a note is described by its docstring."""
    row = Foreign.row

    class Elsewhere(Foreign):
        """Trades by the phase of the moon."""

    Elsewhere.row = type(row)(
        strategy="elsewhere", frequency=row.frequency, needs=row.needs, regimes=row.regimes,
        cooldown_seconds=1, daily_cap=1, time_stop_seconds=1, styles=row.styles,
        universe=row.universe, typical_stop_bp=1,
    )  # fmt: skip
    assert note_of(Elsewhere) == StrategyNote(purpose="Trades by the phase of the moon.")
