"""The published form of the envelope: every number with its limit, every name with its reason."""

from __future__ import annotations

from decimal import Decimal

from hean.core.events.risk import InstrumentLimit, RiskEnvelope, StrategyLimit
from hean.core.instruments import MONEY, ZERO, decimal_of, significant
from hean.risk.budgets import budget_of
from hean.risk.rooms import Rooms
from hean.risk.sentinel_state import Standing


def build_envelope(standing: Standing, rooms: Rooms, now: int) -> RiskEnvelope:
    """Return the envelope of this instant under the sentinel's present version."""
    state, exposure = standing.state, standing.exposure
    is_open, working, reserved = standing.tracker.counts()
    weights = standing.budgets.weights(now)
    strategies = _strategies(standing, rooms)
    total = ZERO
    for one in strategies:
        total += one.budget
    bar = standing.account_bar()
    stale = standing.failed or standing.age_ns() > standing.maximum_age_ns
    paused = state.paused_day == now // 86_400_000_000_000
    reason = "" if bar is None else bar[0].value
    if not reason and (stale or paused):
        reason = "ENVELOPE_STALE" if stale else "DAILY_LOSS"
    tails = standing.tails
    deployable = decimal_of(round(1.0 - standing.reserve, 9))
    return RiskEnvelope(
        ts_event=now,
        ts_init=now,
        version=state.version,
        input_age_ns=standing.age_ns(),
        allocation_version=standing.budgets.allocation_version,
        active_version=standing.budgets.active_version,
        source=weights.source,
        equity=state.equity,
        nav=significant(state.nav),
        drawdown=significant(state.drawdown),
        state=standing.governor.state,
        multiplier=standing.governor.multiplier,
        entries_allowed=not reason,
        reason=reason,
        deployable=budget_of(deployable, state.equity),
        budgets_sum=total,
        positions=is_open,
        reserved=reserved,
        working=working,
        maximum=standing.tracker.maximum,
        free_slots=standing.tracker.free,
        open_orders=exposure.entries,
        open_risk=exposure.open_risk,
        open_risk_limit=standing.open_risk_limit,
        gross=exposure.gross,
        gross_limit=standing.gross_limit,
        worst_stress=_money(tails.worst()),
        stress_limit=_money(tails.stress_limit),
        tail=_money(tails.tail()),
        tail_limit=_money(tails.tail_limit),
        day_loss=standing.day_loss(),
        day_loss_limit=standing.section.max_daily_loss,
        strategies=strategies,
        instruments=_instruments(standing),
    )


def _strategies(standing: Standing, rooms: Rooms) -> tuple[StrategyLimit, ...]:
    weights = standing.budgets.weights(standing.now).by_strategy
    names = sorted({**standing.profiles, **weights})
    return tuple(_strategy(standing, rooms, name, weights.get(name)) for name in names)


def _strategy(standing: Standing, rooms: Rooms, name: str, weight: Decimal | None) -> StrategyLimit:
    tally = standing.exposure.strategy(name)
    until = standing.streaks.blocked_until(name)
    reason = "" if weight is not None else "STRATEGY_INACTIVE"
    return StrategyLimit(
        strategy=name,
        active=weight is not None,
        tier=standing.budgets.tier(name),
        weight=0.0 if weight is None else float(weight),
        budget=ZERO if weight is None else budget_of(weight, standing.state.equity),
        risk_used=tally.risk,
        notional_used=tally.notional,
        size_factor=rooms.size_factor(name),
        blocked_until=until,
        reason="STRATEGY_BLOCKED" if until else reason,
    )


def _instruments(standing: Standing) -> tuple[InstrumentLimit, ...]:
    share = decimal_of(standing.section.max_instrument)
    limit = MONEY.multiply(share, max(ZERO, standing.state.equity))
    found: list[InstrumentLimit] = []
    for name in sorted(standing.view.instruments):
        until, reason = standing.anomaly.block(name)
        tally = standing.exposure.instrument(name)
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
