"""What each strategy's fills brought: its net result over time, and its round trips."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from hean.app.reports.series import Curve, Row, rows_of, thin

_FLAT: Final = 1e-9


class Book(msgspec.Struct):
    """One position at average cost, in floats: for pictures, not for the books."""

    quantity: float = 0.0
    cost: float = 0.0

    def fill(self, side: str, quantity: float, price: float) -> float:
        """Take a fill; return what it realised before fees."""
        signed = quantity if side == "BUY" else -quantity
        realised = 0.0
        if self.quantity * signed < 0.0:
            part = min(abs(signed), abs(self.quantity))
            freed = self.cost * part / abs(self.quantity)
            closed = part if self.quantity > 0 else -part
            realised = closed * price - freed
            self.cost -= freed
            self.quantity -= closed
            signed += closed
        self.quantity += signed
        self.cost += signed * price
        if abs(self.quantity) < _FLAT * max(1.0, quantity):
            self.quantity = self.cost = 0.0
        return realised


def net_curves(directory: Path, last_ns: int | None = None) -> list[Curve]:
    """Return each strategy's realised - fees + funding over time; open positions are not marked."""
    books: dict[tuple[str, str], Book] = {}
    found: dict[str, Curve] = {}
    for row in _merged(directory):
        strategy = row["strategy"]
        curve = found.setdefault(strategy, Curve(strategy, [], []))
        if "amount" in row:
            change = float(row["amount"])
        else:
            book = books.setdefault((strategy, row["instrument"]), Book())
            change = book.fill(row["side"], float(row["qty"]), float(row["price"]))
            change -= float(row["fee"])
        value = curve.last + change
        if curve.times and curve.times[-1] == row["ts_ns"]:
            curve.values[-1] = value
        else:
            curve.times.append(row["ts_ns"])
            curve.values.append(value)
    for curve in found.values():
        if last_ns is not None and curve.times[-1] < last_ns:
            curve.times.append(last_ns)
            curve.values.append(curve.last)
    return [thin(found[name]) for name in sorted(found)]


def _merged(directory: Path) -> Iterator[Row]:
    """Yield fills and funding rows by time, fills first."""
    funding = rows_of(directory, "funding", ("ts_ns", "strategy", "amount"))
    waiting = next(funding, None)
    columns = ("ts_ns", "strategy", "instrument", "side", "price", "qty", "fee")
    for fill in rows_of(directory, "fills", columns):
        while waiting is not None and waiting["ts_ns"] < fill["ts_ns"]:
            yield waiting
            waiting = next(funding, None)
        yield fill
    while waiting is not None:
        yield waiting
        waiting = next(funding, None)


class Trip(msgspec.Struct):
    """A position under way, and what it has cost and brought so far."""

    opened_ns: int
    result: float = 0.0


class TradeTotals(msgspec.Struct):
    """All round trips of a strategy; money in USDT after fees, before funding."""

    closed: int = 0
    won: int = 0
    gained: float = 0.0
    lost: float = 0.0
    best: float = 0.0
    worst: float = 0.0
    held_ns: int = 0
    volume: float = 0.0
    fees: float = 0.0
    maker_fills: int = 0
    fills: int = 0
    open: int = 0

    @property
    def net(self) -> float:
        return self.gained - self.lost

    @property
    def profit_factor(self) -> float | None:
        """Gains over losses; None without a loss."""
        return self.gained / self.lost if self.lost else None

    def close(self, result: float, held_ns: int) -> None:
        """Count a finished round trip."""
        self.best = result if not self.closed else max(self.best, result)
        self.worst = result if not self.closed else min(self.worst, result)
        self.closed += 1
        self.held_ns += held_ns
        if result > 0.0:
            self.won += 1
            self.gained += result
        else:
            self.lost -= result


def trade_totals(directory: Path) -> dict[str, TradeTotals]:
    """Return the round trips of each strategy that had a fill, by name."""
    books: dict[tuple[str, str], Book] = {}
    trips: dict[tuple[str, str], Trip] = {}
    found: dict[str, TradeTotals] = {}
    columns = ("ts_ns", "strategy", "instrument", "side", "price", "qty", "fee", "liquidity")
    for row in rows_of(directory, "fills", columns):
        key = (row["strategy"], row["instrument"])
        totals = found.setdefault(row["strategy"], TradeTotals())
        book = books.setdefault(key, Book())
        trip = trips.setdefault(key, Trip(row["ts_ns"]))
        quantity, price, fee = float(row["qty"]), float(row["price"]), float(row["fee"])
        long_before = book.quantity > 0.0
        was_flat = book.quantity == 0.0
        trip.result += book.fill(row["side"], quantity, price) - fee
        totals.fills += 1
        totals.fees += fee
        totals.volume += quantity * price
        totals.maker_fills += row["liquidity"] == "maker"
        turned = not was_flat and (book.quantity > 0.0) is not long_before
        if book.quantity == 0.0 or turned:
            totals.close(trip.result, row["ts_ns"] - trip.opened_ns)
            del trips[key]
            if turned and book.quantity:
                trips[key] = Trip(row["ts_ns"])
    for strategy, _ in trips:
        found[strategy].open += 1
    return dict(sorted(found.items()))
