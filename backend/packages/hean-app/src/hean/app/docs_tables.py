"""The reference tables of the documentation, written from the code they describe.

usage: python -m hean.app.docs_tables DIRECTORY
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel

from hean.app.inspection import NEED_WORDS, span_text
from hean.app.settings import AppSettings
from hean.config import SEPARATOR, Setting, effective, settings_of
from hean.core.errors import SettingsError
from hean.core.events import Need, ReasonCode
from hean.strategies import SpecRow, Strategy, load_strategies, note_of

_NOTE: Final = "<!-- written by `python -m hean.app.docs_tables`; do not edit by hand -->\n"
_BOUNDS: Final = (("ge", "≥ {}"), ("gt", "> {}"), ("le", "≤ {}"), ("lt", "< {}"))
_STRATEGY_LAYERS_END: Final = ReasonCode.INVALID_SIGNAL


def pages() -> dict[str, str]:
    """Return each page of the reference by file name."""
    return {
        "reasons.md": reasons_page(),
        "settings.md": settings_page(),
        "strategies.md": strategies_page(),
    }


def write_pages(directory: Path) -> list[Path]:
    """Write every page; return their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for name, text in pages().items():
        path = directory / name
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ") or " "


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines += [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return "\n".join(lines) + "\n"


def reasons_page() -> str:
    """Return every reason of refusal with its sentence, in the order of the chain."""
    from hean.app.reports.advice import BY_CODE

    codes = list(ReasonCode)
    split = codes.index(_STRATEGY_LAYERS_END)
    parts = [
        _NOTE,
        "# Reasons\n",
        "Every signal that does not become an order and every evaluation that does not become a "
        "signal ends with one of these codes. `hean-app why STRATEGY RUN_DIR` counts them for a "
        "run and shows how near each came to passing.\n",
    ]
    for title, chosen in (("A strategy's own", codes[:split]), ("The gate's", codes[split:])):
        rows = [
            (
                f"`{code.value}`",
                code.sentence,
                ", ".join(f"`{name}`" for name in BY_CODE[code].settings) or BY_CODE[code].sentence,
            )
            for code in chosen
        ]
        parts += [f"## {title}\n", table(("code", "meaning", "what would change it"), rows)]
    return "\n".join(parts)


def settings_page() -> str:
    """Return every setting with its default, bounds and sentence, a table a section."""
    defaults = effective(AppSettings())
    groups: dict[str, list[Setting]] = {}
    for one in settings_of(AppSettings):
        groups.setdefault(SEPARATOR.join(one.path[:-1]).upper(), []).append(one)
    parts = [
        _NOTE,
        "# Settings\n",
        "Arguments win over the process's environment, that over `.env`, that over these defaults. "
        "`hean-app config` prints what is in force and where it came from.\n",
    ]
    for section, found in groups.items():
        rows = [
            (
                f"`{one.name}`",
                f"`{defaults[one.name]}`" if defaults[one.name] else "",
                bounds(one),
                one.sentence.replace("<", "&lt;"),
            )
            for one in found
        ]
        title = f"`{section}{SEPARATOR}…`" if section else "Read by several packages"
        parts += [f"## {title}\n", table(("name", "default", "bounds", "meaning"), rows)]
    return "\n".join(parts)


def bounds(setting: Setting) -> str:
    """Return what a setting accepts beyond its type: a range, or the words it may be."""
    annotation: Any = setting.field.annotation
    if get_origin(annotation) is Literal:
        return ", ".join(str(word) for word in get_args(annotation))
    found = [
        text.format(_number(getattr(mark, key)))
        for mark in setting.field.metadata
        for key, text in _BOUNDS
        if getattr(mark, key, None) is not None
    ]
    return ", ".join(found)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def strategies_page() -> str:
    """Return the installed strategies: what each needs, when it opens, how often, and how."""
    kinds = load_strategies()
    parts = [
        _NOTE,
        "# Strategies\n",
        "Thresholds are starting values, none is fitted to data. `hean-app data inspect` says "
        "which of them can run on a dataset. Needs: "
        + ", ".join(f"{need.value} {NEED_WORDS[need]}" for need in Need)
        + ".\n",
        table(
            (
                "strategy",
                "class",
                "needs",
                "may use",
                "opens in",
                "cooldown",
                "a day at most",
                "time stop",
                "orders",
                "legs",
                "typical stop",
                "bars up to",
            ),
            [_row(kind.row) for kind in kinds.values()],
        ),
        *[strategy_section(name, kind) for name, kind in kinds.items()],
    ]
    return "\n".join(parts)


def strategy_section(name: str, kind: type[Strategy[Any, Any]]) -> str:
    """Return a strategy's section: purpose, needs, orders, exits, edge, literature, tunables."""
    row, note = kind.row, note_of(kind)
    optional = f" It uses {_names(row.optional_needs)} where there." if row.optional_needs else ""
    bars = (
        f"Runs on bars of up to {_seconds(row.max_bar_interval_seconds)}."
        if row.runs_on_bars
        else "Does not run on bars alone."
    )
    coins = ", ".join(row.universe)
    lines = (
        ("Needs", f"{_names(row.needs)}.{optional} {bars} Its own list: {coins}."),
        ("Opens in", f"{', '.join(regime.value for regime in row.regimes)}."),
        ("Orders", note.orders),
        ("Exits", note.exits),
        ("Pace", f"{_seconds(row.cooldown_seconds)} between attempts, "
         f"{row.daily_cap} a day at most{' for each symbol' if row.capped_per_symbol else ''}."),
        ("Place at entry-tier fees", f"{row.place}."),
        ("Edge, honestly", f"{note.expected} {note.edge}".strip()),
        ("Literature", f"{'; '.join(note.literature)}." if note.literature else ""),
    )  # fmt: skip
    parts = [f"## {kind.__name__} (`{name}`)\n", f"{note.purpose}\n"]
    parts += [f"- **{head}.** {words}" for head, words in lines if words]
    tunables = _tunables(name, kind)
    if tunables:
        parts += ["", table(("setting", "default", "bounds", "meaning"), tunables)]
    return "\n".join(parts) + ("" if tunables else "\n")


def _names(needs: Sequence[Need]) -> str:
    return ", ".join(NEED_WORDS[need] for need in needs)


def _seconds(seconds: float) -> str:
    return span_text(round(seconds * 1e9))


def _letters(needs: Sequence[Need]) -> str:
    return " ".join(need.value for need in needs)


def _row(row: SpecRow) -> tuple[str, ...]:
    return (
        f"`{row.strategy}`",
        row.frequency.value,
        _letters(row.needs),
        _letters(row.optional_needs),
        ", ".join(regime.value for regime in row.regimes),
        _seconds(row.cooldown_seconds),
        f"{row.daily_cap}{' a symbol' if row.capped_per_symbol else ''}",
        _seconds(row.time_stop_seconds),
        ", ".join(style.value for style in row.styles),
        str(row.legs),
        f"{row.typical_stop_bp:g} bp",
        _seconds(row.max_bar_interval_seconds) if row.runs_on_bars else "not on bars",
    )


def _tunables(name: str, kind: type[Strategy[Any, Any]]) -> list[tuple[str, ...]]:
    section: type[BaseModel] = kind.section_type
    rows: list[tuple[str, ...]] = []
    for one in kind.row.tunables:
        field = section.model_fields[one.name]
        rows.append(
            (
                f"`STRATEGIES__{name.upper()}__{one.name.upper()}`",
                f"{field.default:g}",
                f"{one.low:g} to {one.high:g}",
                " ".join((field.description or "").split()),
            )
        )
    return rows


def main(arguments: Sequence[str]) -> None:
    """Write the pages into the directory given."""
    if len(arguments) != 1:
        raise SettingsError("give one directory: python -m hean.app.docs_tables DIRECTORY")
    for path in write_pages(Path(arguments[0])):
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except SettingsError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
