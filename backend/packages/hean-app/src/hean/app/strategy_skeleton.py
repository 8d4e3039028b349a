"""`hean-app strategies new NAME`: a package with one working strategy, ready to be changed.

The templates are whole files: the package passes its own test as it is written.
"""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from string import Template
from typing import Final

from hean.core.errors import SettingsError
from hean.strategies import TABLE, load_strategies

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_MOST_LETTERS: Final = 40

_PROJECT: Final = """\
[project]
name = "$package"
version = "0.1.0"
description = "A strategy for HEAN."
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["hean-core>=0.1,<0.2", "hean-strategies>=0.1,<0.2"]

[project.entry-points."hean.strategies"]
$name = "$name:$kind"

[dependency-groups]
dev = ["pytest>=9"]

[build-system]
requires = ["uv_build>=0.10,<1"]
build-backend = "uv_build"

[tool.pytest.ini_options]
addopts = ["--import-mode=importlib"]
pythonpath = ["src"]
testpaths = ["tests"]
"""

_README: Final = """\
# $package

A strategy for HEAN. It buys a new high of the last bars and sells a new low, with a stop, a target
and a time stop. It is a start, not an edge.

- `src/$name/strategy.py` holds all of it: the row (what it needs, when it may open, how often), the
  settings with their bounds, and one pure `step`.
- `tests/test_strategy.py` runs the invariants that every strategy of HEAN passes.

Install it beside HEAN, and it takes part under its own name:

    uv pip install -e .
    hean-app strategies
    hean-app backtest DATASET.toml --strategies $name

Its settings are part of `STRATEGIES__OTHERS`, as JSON:

    STRATEGIES__OTHERS={"$name": {"enabled": true, "bars": 32, "stop_bp": 120}}

It gets the same gate, guard, slots and budgets as any other, and no other channel.
"""

_INIT: Final = '''\
"""$title: a strategy for HEAN."""

from __future__ import annotations

from $name.strategy import $kind

__all__ = ["$kind"]
'''

_TEST: Final = '''\
from __future__ import annotations

from $name import $kind

from hean.strategies.testing import check_strategy, trend_log


def test_the_invariants_hold() -> None:
    """$kind passes the kit every strategy must pass."""
    check_strategy($kind, trend_log())
'''

_STRATEGY: Final = '''\
"""$title: buys a new high of the last bars, sells a new low.

A start, not an edge: replace `_judge` and `_plan`, and say in `note` what may be expected.
"""

from __future__ import annotations

import msgspec

from hean.core.events import (
    Bar,
    Event,
    FrequencyClass,
    Heartbeat,
    Need,
    OrderStyle,
    Quote,
    ReasonCode,
    Regime,
)
from hean.strategies import (
    Desk,
    DeskState,
    Parameters,
    SpecRow,
    Strategy,
    StrategyNote,
    StrategySection,
    Tunable,
    hear,
    tunable,
)
from hean.strategies.decisions import (
    NOTHING,
    Outputs,
    Plan,
    capped,
    enter,
    guard_stop,
    leave,
    refuse,
    round_trip_bp,
)
from hean.strategies.desk import mid, spread_bp, touch
from hean.strategies.pace import SECOND_NS, PaceRules

ROW = SpecRow(
    strategy="$name",
    frequency=FrequencyClass.MEDIUM,
    needs=(Need.QUOTES, Need.BARS),
    regimes=(Regime.NORMAL, Regime.IMPULSE),
    cooldown_seconds=1800,
    daily_cap=8,
    capped_per_symbol=True,
    time_stop_seconds=86_400,
    styles=(OrderStyle.LIMIT_IOC,),
    tunables=(Tunable("bars", 8, 96), Tunable("stop_bp", 50, 300)),
    max_bar_interval_seconds=900,
    universe=("BTC", "ETH"),
    typical_stop_bp=100,
    directional=True,
)
PACE = PaceRules(
    cooldown_ns=1800 * SECOND_NS, exit_cooldown_ns=1800 * SECOND_NS, daily_cap=ROW.daily_cap
)
_TARGET_STOPS = 2.0
_FRESH_BARS = 3


class Settings(StrategySection):
    """Tunables of $kind; all are starting values."""

    bars: float = tunable(ROW, "bars", 24)
    """How many bars back a high or low is new, 8 to 96."""
    stop_bp: float = tunable(ROW, "stop_bp", 100)
    """Distance of the stop in bp, 50 to 300; the target lies twice as far."""


class BreakoutDesk(Desk, kw_only=True):
    """The highs and lows of the last bars."""

    highs: list[float] = msgspec.field(default_factory=lambda: list[float]())
    lows: list[float] = msgspec.field(default_factory=lambda: list[float]())


class State(DeskState[BreakoutDesk], kw_only=True):
    """A desk for each instrument; nothing spans them."""


_Run = Parameters[Settings]


def step(state: State, event: Event, parameters: _Run) -> tuple[State, Outputs]:
    """Take one event: depends on its arguments alone."""
    match event:
        case Quote():
            desk = state.desks[event.instrument]
            desk.quote = event
            return state, _manage(state, desk, event.ts_init)
        case Bar():
            return state, _on_bar(state, event, parameters.section)
        case Heartbeat():
            outputs = NOTHING
            for desk in state.desks.values():
                outputs += _manage(state, desk, event.ts_init)
            return state, outputs
        case _:
            return state, hear(state, event, PACE).outputs


def _on_bar(state: State, event: Bar, section: Settings) -> Outputs:
    """Judge a closed bar against those before it, then keep it: one answer a bar while idle."""
    desk = state.desks[event.instrument]
    outputs = _judge(state, desk, event, section) if desk.idle else NOTHING
    desk.highs.append(event.high)
    desk.lows.append(event.low)
    if len(desk.highs) > int(section.bars):
        del desk.highs[0], desk.lows[0]
    return outputs


def _judge(state: State, desk: BreakoutDesk, event: Bar, section: Settings) -> Outputs:
    """Layers DATA, REGIME, PACE, then the strategy's own condition."""
    now, market, known = event.ts_init, desk.quote, len(desk.highs)
    if now < state.history_until or known < int(section.bars) or market is None:
        return refuse(state, desk, now, ReasonCode.WARMING_UP, float(known), section.bars)
    age = now - market.ts_init
    if age > _FRESH_BARS * event.interval_ns:
        return refuse(state, desk, now, ReasonCode.STALE, age / SECOND_NS)
    if desk.regime not in ROW.regimes:
        return refuse(state, desk, now, ReasonCode.REGIME)
    paced = desk.pace.refusal(now, PACE)
    if paced is not None:
        return refuse(state, desk, now, *paced)
    highest, lowest = max(desk.highs), min(desk.lows)
    if event.close > highest:
        return (enter(state, desk, now, _plan(desk, market, 1, section)),)
    if event.close < lowest:
        return (enter(state, desk, now, _plan(desk, market, -1, section)),)
    return refuse(state, desk, now, ReasonCode.SIZE, event.close, highest)


def _plan(desk: BreakoutDesk, market: Quote, sign: int, section: Settings) -> Plan:
    """Take the touch with a price cap; the stop rests at the venue."""
    price = touch(market, sign, passive=False)
    stop_bp = section.stop_bp
    return Plan(
        sign=sign,
        style=OrderStyle.LIMIT_IOC,
        limit=capped(price, sign),
        stop=_moved(price, -sign, stop_bp),
        targets=(_moved(price, sign, _TARGET_STOPS * stop_bp),),
        time_stop_ns=int(ROW.time_stop_seconds) * SECOND_NS,
        strength=0.5,
        cost_bp=round_trip_bp(
            desk.specification, spread_bp(market), maker_entry=False, maker_exit=False
        ),
        reason=f"new {'high' if sign > 0 else 'low'} of {len(desk.highs)} bars",
    )


def _moved(price: float, sign: int, distance_bp: float) -> float:
    """Return a price moved up or down by a factor, so that both sides are alike."""
    factor = 1.0 + distance_bp / 1e4
    return price * factor if sign > 0 else price / factor


def _manage(state: State, desk: BreakoutDesk, now: int) -> Outputs:
    """Leave at the target or by time; exits need no regime, no pace and no fresh data."""
    holding, market = desk.holding, desk.quote
    if holding is None or market is None:
        return NOTHING
    if now - holding.opened_at >= int(ROW.time_stop_seconds) * SECOND_NS:
        return leave(state, desk, now, "time")
    if holding.targets and (mid(market) - holding.targets[0]) * holding.sign >= 0.0:
        return leave(state, desk, now, "target", style=OrderStyle.LIMIT_IOC)
    return guard_stop(state, desk, now)


class $kind(Strategy[State, Settings]):
    """Follows a new high or low of the last bars."""

    row = ROW
    note = StrategyNote(
        purpose="Buys a new high of the last bars and sells a new low.",
        orders="LIMIT_IOC at the touch with a price cap.",
        exits="A stop, a target twice as far, one day.",
        expected="Not measured.",
    )
    listens = (Quote, Bar, Heartbeat)
    section_type = Settings
    state_type = State
    desk_type = BreakoutDesk
    step = staticmethod(step)
'''


def check_name(name: str) -> None:
    """Raise `SettingsError` for a name that cannot become a package and a strategy here."""
    if not _NAME.fullmatch(name) or keyword.iskeyword(name) or len(name) > _MOST_LETTERS:
        raise SettingsError(
            f"{name!r} is no name for a strategy: small letters, digits and single underscores, "
            f"up to {_MOST_LETTERS}, such as night_drift"
        )
    if name in load_strategies() or name in [row.strategy for row in TABLE]:
        raise SettingsError(f"a strategy named {name} exists already; take another name")


def files_of(name: str) -> dict[str, str]:
    """Return the files of the package by path, for a name that `check_name` lets pass."""
    words = name.split("_")
    given = {
        "name": name,
        "package": "-".join(words),
        "kind": "".join(word.capitalize() for word in words),
        "title": " ".join(words).capitalize(),
    }
    texts = {
        "pyproject.toml": _PROJECT,
        "README.md": _README,
        f"src/{name}/__init__.py": _INIT,
        f"src/{name}/py.typed": "",
        f"src/{name}/strategy.py": _STRATEGY,
        "tests/test_strategy.py": _TEST,
    }
    return {path: Template(text).substitute(given) for path, text in texts.items()}


def write_skeleton(name: str, directory: Path) -> list[Path]:
    """Write the package into `directory/NAME`; return its files.

    Raises `SettingsError` for a bad name, and where that folder exists already.
    """
    check_name(name)
    target = directory / name
    if target.exists():
        raise SettingsError(f"{target} exists already; give another --directory or name")
    written: list[Path] = []
    try:
        for path, text in files_of(name).items():
            file = target / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            written.append(file)
    except OSError as error:
        raise SettingsError(f"{target} cannot be written: {error}") from error
    return written
