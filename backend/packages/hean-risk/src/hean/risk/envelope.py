"""The published form of the envelope: every number with its limit, every name with its reason."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from hean.core.events.risk import InstrumentLimit, RiskEnvelope, StrategyLimit
from hean.core.instruments import MONEY, ZERO, decimal_of, significant
from hean.risk.budgets import budget_of

if TYPE_CHECKING:
    from hean.risk.risk_sentinel import RiskSentinel


def build_envelope(sentinel: RiskSentinel, now: int) -> RiskEnvelope:
    """Return the envelope of this instant under the sentinel's present version."""
    state, exposure = sentinel.state, sentinel.exposure
    is_open, working, reserved = sentinel.tracker.counts()
    weights = sentinel.budgets.weights(now)
    strategies = _strategies(sentinel)
    total = ZERO
    for one in strategies:
        total += one.budget
    bar = sentinel.account_bar()
    stale = sentinel.failed or sentinel.age_ns() > sentinel.maximum_age_ns
    paused = state.paused_day == now // 86_400_000_000_000
    reason = "" if bar is None else bar[0].value
    if not reason and (stale or paused):
        reason = "ENVELOPE_STALE" if stale else "DAILY_LOSS"
    tails = sentinel.tails
    deployable = decimal_of(round(1.0 - sentinel.reserve, 9))
    return RiskEnvelope(
        ts_event=now,
        ts_init=now,
        version=state.version,
        input_age_ns=sentinel.age_ns(),
        allocation_version=sentinel.budgets.allocation_version,
        active_version=sentinel.budgets.active_version,
        source=weights.source,
        equity=state.equity,
        nav=significant(state.nav),
        drawdown=significant(state.drawdown),
        state=sentinel.governor.state,
        multiplier=sentinel.governor.multiplier,
        entries_allowed=not reason,
        reason=reason,
        deployable=budget_of(deployable, state.equity),
        budgets_sum=total,
        positions=is_open,
        reserved=reserved,
        working=working,
        maximum=sentinel.tracker.maximum,
        free_slots=sentinel.tracker.free,
        open_orders=exposure.entries,
        open_risk=exposure.open_risk,
        open_risk_limit=sentinel.open_risk_limit,
        gross=exposure.gross,
        gross_limit=sentinel.gross_limit,
        worst_stress=_money(tails.worst()),
        stress_limit=_money(tails.stress_limit),
        tail=_money(tails.tail()),
        tail_limit=_money(tails.tail_limit),
        day_loss=sentinel.day_loss(),
        day_loss_limit=sentinel.section.max_daily_loss,
        strategies=strategies,
        instruments=_instruments(sentinel),
    )


def _strategies(sentinel: RiskSentinel) -> tuple[StrategyLimit, ...]:
    weights = sentinel.budgets.weights(sentinel.now).by_strategy
    names = sorted({**sentinel.profiles, **weights})
    return tuple(_strategy(sentinel, name, weights.get(name)) for name in names)


def _strategy(sentinel: RiskSentinel, name: str, weight: Decimal | None) -> StrategyLimit:
    tally = sentinel.exposure.strategy(name)
    until = sentinel.streaks.blocked_until(name)
    reason = "" if weight is not None else "STRATEGY_INACTIVE"
    return StrategyLimit(
        strategy=name,
        active=weight is not None,
        tier=sentinel.budgets.tier(name),
        weight=0.0 if weight is None else float(weight),
        budget=ZERO if weight is None else budget_of(weight, sentinel.state.equity),
        risk_used=tally.risk,
        notional_used=tally.notional,
        size_factor=sentinel.rooms.size_factor(name),
        blocked_until=until,
        reason="STRATEGY_BLOCKED" if until else reason,
    )


def _instruments(sentinel: RiskSentinel) -> tuple[InstrumentLimit, ...]:
    share = decimal_of(sentinel.section.max_instrument)
    limit = MONEY.multiply(share, max(ZERO, sentinel.state.equity))
    found: list[InstrumentLimit] = []
    for name in sorted(sentinel.view.instruments):
        until, reason = sentinel.anomaly.block(name)
        tally = sentinel.exposure.instrument(name)
        found.append(
            InstrumentLimit(
                instrument=name,
                notional=max(tally.net + tally.buys, tally.sells - tally.net),
                limit=limit,
                blocked_until=until if reason else 0,
                reason=reason,
            )
        )
    return tuple(found)


def _money(value: float) -> Decimal:
    return decimal_of(round(value, 8))
