"""What the terminal shows of a running system, as plain values; filled from public attributes."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hean.core.events import EquityUpdated, ReasonCode, RiskEnvelope

if TYPE_CHECKING:
    from hean.app.reports.funnel import Decision
    from hean.app.session import Session
    from hean.main import TradingSystem
    from hean.portfolio.positions import Tally, VirtualPosition
    from hean.strategies.registry import AnyStrategy

_ZERO = Decimal(0)
_RANK = (
    "closing",
    "holding",
    "waiting because its own order",
    "waiting",
    "not running",
    "switched off",
)
_IDLE = "waiting because nothing has triggered it yet"
_UNREADY = ReasonCode.WARMING_UP.sentence[0].lower() + ReasonCode.WARMING_UP.sentence[1:-1]
_WARMING = "waiting because it is warming up"
_COUNT = re.compile(r" \(([\d.e+]+) against ([\d.e+]+)\)")
_SECOND_NS = 1_000_000_000


class PositionLine(msgspec.Struct, frozen=True, kw_only=True):
    """One virtual position; `mark` and `unrealised` are None before any price came."""

    strategy: str
    instrument: str
    side: str
    quantity: Decimal
    entry: Decimal
    mark: float | None
    unrealised: float | None
    age_ns: int


class StrategyLine(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy: its budget and counts, its net result in USDT, and its state in words."""

    strategy: str
    active: bool
    runs: bool
    budget: Decimal
    signals: int
    orders: int
    fills: int
    net: Decimal
    text: str
    warming: bool = False


class DecisionLine(msgspec.Struct, frozen=True, kw_only=True):
    """One decision; `number` counts decisions since the start of the run."""

    ts_ns: int
    strategy: str
    instrument: str
    side: str
    outcome: str
    text: str


class ViewState(msgspec.Struct, frozen=True, kw_only=True):
    """One picture of a run. Money in USDT, drawdown a fraction; `speed` None is as fast as it goes.

    `events` counts what this process has taken from the feed.
    """

    mode: str
    feed: str
    seed: int
    state_dir: Path
    now_ns: int
    speed: float | None
    events: int
    equity: Decimal
    wallet: Decimal
    unrealised: Decimal
    drawdown: float
    day_pnl: float
    risk_state: str
    entries_allowed: bool
    entries_reason: str
    slots_used: int
    slots_max: int
    positions: tuple[PositionLine, ...]
    strategies: tuple[StrategyLine, ...]
    decisions: tuple[DecisionLine, ...]
    decisions_made: int


def build_state(session: Session, *, directory: Path, speed: float | None) -> ViewState:
    """Return the present picture of a run; reads only what its parts show in public."""
    system = session.system
    funnel, ledger = system.funnel, system.portfolio.ledger
    equity, envelope = funnel.equity, funnel.envelope
    wallet = ledger.wallet
    return ViewState(
        mode=system.mode,
        feed=system.description.name,
        seed=system.settings.random_seed,
        state_dir=directory,
        now_ns=system.agenda.now,
        speed=speed,
        events=session.feed_events,
        equity=wallet if equity is None else equity.equity,
        wallet=wallet,
        unrealised=_ZERO if equity is None else equity.unrealised,
        drawdown=0.0 if equity is None else equity.drawdown,
        day_pnl=day_pnl(equity),
        risk_state="STARTING" if envelope is None else envelope.state.value,
        entries_allowed=envelope is not None and envelope.entries_allowed,
        entries_reason="no risk envelope yet" if envelope is None else envelope.reason,
        slots_used=_slots_used(envelope),
        slots_max=system.settings.risk.max_positions,
        positions=tuple(_position(system, one) for one in ledger.positions()),
        strategies=_strategies(system, ledger.totals(), envelope),
        decisions=tuple(_decision(one) for one in funnel.decisions),
        decisions_made=_decisions_made(system),
    )


def day_pnl(equity: EquityUpdated | None) -> float:
    """Return the result since 00:00 UTC in USDT, from NAV per unit: transfers do not count."""
    if equity is None or equity.nav <= 0.0:
        return 0.0
    return float(equity.equity) * (equity.nav - equity.day_start) / equity.nav


def _slots_used(envelope: RiskEnvelope | None) -> int:
    return 0 if envelope is None else envelope.positions + envelope.reserved + envelope.working


def _decisions_made(system: TradingSystem) -> int:
    made = system.funnel.forced_closes
    for counts in system.funnel.strategies.values():
        made += counts.order_requests + counts.withdrawals
        for count in counts.rejections.values():
            made += count
    return made


def _decision(made: Decision) -> DecisionLine:
    return DecisionLine(
        ts_ns=made.ts_ns,
        strategy=made.strategy,
        instrument=made.instrument,
        side=made.side,
        outcome=made.outcome,
        text=made.text,
    )


def _position(system: TradingSystem, held: VirtualPosition) -> PositionLine:
    mark = system.view.mark(held.instrument)
    price = None if mark is None else mark.price
    size, entry = float(held.quantity), float(held.entry_price)
    return PositionLine(
        strategy=held.strategy,
        instrument=held.instrument,
        side="long" if held.quantity > 0 else "short",
        quantity=abs(held.quantity),
        entry=held.entry_price,
        mark=price,
        unrealised=None if price is None else size * (price - entry),
        age_ns=max(0, system.agenda.now - held.opened_at),
    )


def _strategies(
    system: TradingSystem, totals: dict[str, Tally], envelope: RiskEnvelope | None
) -> tuple[StrategyLine, ...]:
    limits = {} if envelope is None else {one.strategy: one for one in envelope.strategies}
    lines: list[StrategyLine] = []
    for strategy in system.strategies.strategies:
        name = strategy.profile.strategy
        counts, limit = system.funnel.strategies.get(name), limits.get(name)
        tally = totals.get(name)
        text = summarise_status(strategy)
        lines.append(
            StrategyLine(
                strategy=name,
                active=name in system.funnel.active,
                runs=strategy.runs,
                budget=_ZERO if limit is None else limit.budget,
                signals=0 if counts is None else counts.signals,
                orders=0 if counts is None else counts.order_requests,
                fills=0 if counts is None else counts.fills,
                net=_ZERO if tally is None else tally.net,
                text=text,
                warming=_WARMING in text,
            )
        )
    return tuple(lines)


def summarise_status(strategy: AnyStrategy) -> str:
    """Return the most telling of a strategy's states over its instruments, naming the coin."""
    names = strategy.instruments
    if not names or not strategy.runs:
        return strategy.status(names[0] if names else "")
    texts = [(coin_of(name), _status(strategy, name)) for name in names]
    rank = min(map(_rank_of, (text for _, text in texts)))
    best = [(coin, text) for coin, text in texts if _rank_of(text) == rank]
    coin, text = best[0]
    alike = [other for _, other in best].count(text)
    if alike == len(texts):
        return text
    where = coin if alike == 1 else f"{coin} and {alike - 1} more"
    return f"{where}: {text}"


def _status(strategy: AnyStrategy, instrument: str) -> str:
    """Return the status; one that lacks data says for how long it still will, if it can tell."""
    text = strategy.status(instrument)
    if _UNREADY not in text:
        return text
    found = _COUNT.search(text)
    left = float(found[2]) - float(found[1]) if found else 0.0
    if left <= 0.0:
        return _WARMING
    return f"{_WARMING}, needs {age_text(round(left) * _step_ns(strategy, instrument))} more"


def _step_ns(strategy: AnyStrategy, instrument: str) -> int:
    """Return what one count of a warm-up lasts: a bar, or a frame where bars are not enough."""
    if not strategy.profile.runs_on_bars:
        return _SECOND_NS
    for market in strategy.markets:
        if market.instrument == instrument:
            return max(60 * _SECOND_NS, market.bar_ns)
    return 60 * _SECOND_NS


def age_text(age_ns: int) -> str:
    """Return a duration in its two largest units: 3 d 4 h, 12 m 5 s."""
    seconds = age_ns // _SECOND_NS
    parts = (
        (seconds // 86_400, "d"),
        (seconds // 3600 % 24, "h"),
        (seconds // 60 % 60, "m"),
        (seconds % 60, "s"),
    )
    found = [f"{count} {unit}" for count, unit in parts if count]
    return " ".join(found[:2]) or "0 s"


def _rank_of(text: str) -> int:
    if text == _IDLE:
        return len(_RANK)
    for place, start in enumerate(_RANK):
        if text.startswith(start):
            return place
    return len(_RANK) + 1


def coin_of(instrument: str) -> str:
    """Return BTC for BTCUSDT-PERP.BYBIT, BTC spot for its spot."""
    symbol, _, kind = instrument.partition("-")
    coin = symbol.removesuffix("USDT") or symbol
    return f"{coin} spot" if kind.startswith("SPOT") else coin
