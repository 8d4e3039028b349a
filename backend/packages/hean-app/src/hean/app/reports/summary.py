"""`summary.json`: what a run did, in numbers that must add up. Money is decimal strings."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hean.app.feature_counts import write_counts
from hean.app.feature_tables import table_lines
from hean.app.reports.funnel import HOUR_NS, StrategyCounts
from hean.app.reports.guard import guard_of
from hean.app.reports.projection import write_tables
from hean.app.session import Session, package_versions
from hean.app.timespan import format_instant
from hean.core.instruments import ZERO
from hean.portfolio.positions import Tally

if TYPE_CHECKING:
    from hean.main import TradingSystem

Summary = dict[str, Any]


def summarise(session: Session, *, wall_seconds: float, peak_rss_mb: float) -> Summary:
    """Return the summary of a session that has been committed, without its two digests' tables."""
    system = session.system
    description = session.feed.description
    return {
        "run_id": system.run_id,
        "mode": system.mode,
        "versions": package_versions(),
        "settings_sha256": system.settings_sha256,
        "dataset": {"name": description.name, "sha256": description.digest},
        "seed": system.settings.random_seed,
        "started": format_instant(max(description.first, description.history_until)),
        "ended": format_instant(system.agenda.now),
        "events_in": session.feed_events,
        "wall_seconds": round(wall_seconds, 3),
        "events_per_second": round(session.feed_events / max(wall_seconds, 1e-9)),
        "peak_rss_mb": round(peak_rss_mb, 1),
        **_chain(system),
        **_money(system),
        "strategies": _strategies(system),
        "slots": _slots(system),
        "budgets": {
            "deployable_min_margin": str(system.funnel.least_margin or ZERO),
        },
        "dlq": _dead_letters(system),
        "forced_closes": system.funnel.forced_closes,
        "guard": guard_of(system),
        "notes": [*description.notes, *table_lines(system)],
        "decisions_sha256": "",
        "journal_sha256": session.journal.head.hex(),
    }


def _chain(system: TradingSystem) -> Summary:
    funnel = system.funnel
    total = StrategyCounts()
    for counts in funnel.strategies.values():
        total.signals += counts.signals
        total.order_requests += counts.order_requests
        total.withdrawals += counts.withdrawals
        total.fills += counts.fills
        _add(total.rejections, counts.rejections)
        _add(total.evaluations_refused, counts.evaluations_refused)
    return {
        "signals": total.signals,
        "order_requests": total.order_requests,
        "withdrawals": total.withdrawals,
        "rejections": dict(sorted(total.rejections.items())),
        "evaluations_refused": dict(sorted(total.evaluations_refused.items())),
        "orders": funnel.orders,
        "fills": total.fills,
    }


def _add(into: dict[str, int], counts: dict[str, int]) -> None:
    for code, count in counts.items():
        into[code] = into.get(code, 0) + count


def _money(system: TradingSystem) -> Summary:
    ledger = system.portfolio.ledger
    start = system.settings.initial_capital
    realised = fees = funding = ZERO
    for tally in ledger.totals().values():
        realised += tally.realised
        fees += tally.fees
        funding += tally.funding
    wallet = ledger.wallet
    unrealised = ZERO
    for book in ledger.books.values():
        unrealised += book.unrealised()
    venue = system.venue.account()
    balances = ZERO
    for value in ledger.balances().values():
        balances += value
    flows = start + realised + ledger.funding - fees
    balanced = balances == 0 and wallet == flows and venue.wallet == ledger.venue_wallet
    return {
        "wallet_start": text(start),
        "wallet_end": text(wallet),
        "realised_pnl": text(realised),
        "fees": text(fees),
        "funding": text(ledger.funding),
        "unrealised_pnl": text(unrealised),
        "equity_end": text(wallet + unrealised),
        "max_drawdown": round(system.funnel.worst_drawdown, 9),
        "books_balance": balanced,
    }


def _strategies(system: TradingSystem) -> Summary:
    totals = system.portfolio.ledger.totals()
    budgets = _budgets(system)
    rows: Summary = {}
    for strategy in system.strategies.strategies:
        name = strategy.profile.strategy
        counts = system.funnel.strategies.get(name, StrategyCounts())
        tally = totals.get(name, Tally())
        rows[name] = {
            "signals": counts.signals,
            "order_requests": counts.order_requests,
            "withdrawals": counts.withdrawals,
            "rejections": dict(sorted(counts.rejections.items())),
            "evaluations_refused": dict(sorted(counts.evaluations_refused.items())),
            "fills": counts.fills,
            "realised_pnl": text(tally.realised),
            "fees": text(tally.fees),
            "funding": text(tally.funding),
            "net_pnl": text(tally.net),
            "budget_end": text(budgets.get(name, ZERO)),
            "active": name in system.funnel.active,
        }
        if strategy.cannot_run_because:
            rows[name]["cannot_run_because"] = strategy.cannot_run_because
    return rows


def _budgets(system: TradingSystem) -> dict[str, Decimal]:
    envelope = system.funnel.envelope
    if envelope is None:
        return {}
    return {line.strategy: line.budget for line in envelope.strategies}


def _slots(system: TradingSystem) -> Summary:
    found = system.tracker.statistics()
    return {
        "max": found.maximum,
        "peak": found.peak,
        "contended": found.contended,
        "refused_by_strategy": dict(sorted(found.refused_by_strategy.items())),
    }


def _dead_letters(system: TradingSystem) -> Summary:
    found = system.dead_letters.statistics()
    return {
        "parked": found.parked,
        "retried_ok": found.retried_ok,
        "permanent": found.permanent,
    }


def text(value: Decimal) -> str:
    """Return a decimal without exponent or idle zeros: 12.50 is 12.5, 0E-8 is 0."""
    plain = format(value, "f")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return "0" if plain in ("", "-0") else plain


def write_run(session: Session, directory: Path, summary: Summary, *, html: bool) -> None:
    """Write the tables, the JSON files (summary, funnel, capital, counts), maybe `report.html`."""
    events = (record.event() for record in session.journal.records())
    summary["decisions_sha256"] = write_tables(events, directory)
    (directory / "funnel.json").write_text(json.dumps(_funnel(session.system)) + "\n")
    (directory / "capital.json").write_text(json.dumps(_capital(session.system)) + "\n")
    write_counts(session, directory)
    (directory / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    if html:
        from hean.app.reports.html import write_report

        write_report(directory, summary)


def _capital(system: TradingSystem) -> Summary:
    """Return what only the running parts know: kinship, measured size factors, who won slots."""
    kinship, slots = system.portfolio.kinship, system.tracker.statistics()
    measured, moved, bins = kinship.measured()
    rooms = system.risk.sentinel.rooms
    return {
        "size_factors": {name: rooms.size_factor(name) for name in kinship.names},
        "correlation": {
            "names": kinship.names,
            "prior": kinship.prior(),
            "measured": measured,
            "in_force": kinship.between(kinship.names),
            "moved": moved,
            "bins": bins,
            "prior_bins": system.settings.portfolio.correlation_prior_bins,
        },
        "slots": {
            "max": slots.maximum,
            "peak": slots.peak,
            "granted": slots.granted,
            "contended": slots.contended,
            "expired": slots.expired,
            "refused": slots.refused_by_strategy,
            "won": slots.won,
            "lost_to": [
                {"loser": loser, "to": other, "count": count}
                for loser, other, count in slots.lost_to
            ],
        },
    }


def _funnel(system: TradingSystem) -> Summary:
    misses = [
        {
            "strategy": strategy,
            "instrument": instrument,
            "layer": layer,
            "code": code,
            "count": miss.count,
            "number": miss.number,
            "limit": miss.limit,
            "distance": miss.distance,
            "ts_ns": miss.ts_ns,
        }
        for (strategy, instrument, layer, code), miss in system.funnel.misses.items()
    ]
    hours = [
        {
            "strategy": strategy,
            "instrument": instrument,
            "hour_ns": hour * HOUR_NS,
            "evaluations_refused": counts[0],
            "signals": counts[1],
            "order_requests": counts[2],
            "rejected": counts[3],
        }
        for (strategy, instrument, hour), counts in system.funnel.hours.items()
    ]
    return {"misses": misses, "hours": hours}
