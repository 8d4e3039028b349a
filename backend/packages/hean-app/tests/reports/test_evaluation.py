from __future__ import annotations

import random
from math import sqrt

import msgspec
import pytest

from hean.app.reports.evaluation import (
    ALL,
    RESAMPLES,
    Interval,
    Markout,
    block_length,
    bootstrap_interval,
    hits_of,
    interval_of,
    rows_of_trades,
    student_interval,
    wilson,
    without_best_day,
)
from hean.app.reports.trade_records import UNKNOWN, Kind, Plan, Trade
from hean.core.events import GuardMode


def _trade(net: float = 5.0, at: int = 0, **changes: object) -> Trade:
    """A trade that pays 10 bp of fees."""
    made = Trade(
        strategy="alpha", instrument="BTC", regime="NORMAL", kind=Kind.REAL, closed_ns=at,
        gross_bp=net + 10.0, fees_bp=10.0, funding_bp=0.0, net_bp=net, cell="alpha/majors/NORMAL",
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def test_student_by_hand() -> None:
    """1, 2 and 6: mean 3, s² = 7, t(2) = 4.3027, so 3 ± 4.3027·√(7/3)."""
    found = student_interval([1.0, 2.0, 6.0])
    half = 4.3027 * sqrt(7 / 3)
    assert (found.mean, found.method) == (3.0, "t, n=3")
    assert (found.low, found.high) == (pytest.approx(3 - half), pytest.approx(3 + half))


def test_one_trade_has_no_bounds() -> None:
    """Of a single value nothing is known but itself."""
    assert student_interval([4.0]) == Interval(4.0, None, None, "none: one trade")


def test_the_method_changes_at_thirty() -> None:
    """Twenty-nine values get Student's t, thirty the bootstrap, which says its block."""
    values = [float(value % 7) for value in range(30)]
    assert interval_of(values[:29], 0).method == "t, n=29"
    assert interval_of(values, 0).method == "block bootstrap, block 3"
    assert [block_length(count) for count in (1, 30, 1000)] == [1, 3, 10]


def test_the_bootstrap_repeats_itself() -> None:
    """The same seed gives the same bounds, another seed others near them."""
    draws = random.Random(3)
    values = [draws.gauss(0, 10) for _ in range(64)]
    first = bootstrap_interval(values, 1)
    assert bootstrap_interval(values, 1) == first
    other = bootstrap_interval(values, 2)
    assert first.low is not None
    assert other.low is not None
    assert other.low != first.low
    assert other.low == pytest.approx(first.low, abs=1.0)


def test_the_bootstrap_covers_what_it_says() -> None:
    """Of 100 samples of 60 normal draws about 95 intervals hold the true mean."""
    draws = random.Random(11)
    held = 0
    for seed in range(100):
        found = bootstrap_interval([draws.gauss(7.0, 20.0) for _ in range(60)], seed)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 7.0 <= found.high
    assert RESAMPLES == 2000
    assert 87 <= held <= 99


def test_blocks_widen_what_hangs_together() -> None:
    """Values in runs of alike ones get wider bounds than the same values shuffled."""
    values = [float(10 if value // 8 % 2 else -10) for value in range(128)]
    mixed = values.copy()
    random.Random(5).shuffle(mixed)
    together, apart = bootstrap_interval(values, 0), bootstrap_interval(mixed, 0)
    assert together.low is not None
    assert apart.low is not None
    assert together.low < 1.3 * apart.low < 0.0


def test_wilson_by_hand() -> None:
    """5 of 10 gives 23.7 to 76.3 %; none of four does not mean never."""
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert wilson(0, 4) == pytest.approx((0.0, 0.4899), abs=1e-4)


def test_break_even_from_plans() -> None:
    """Target 150, stop 100 at 11 bp taker both ways must win 44.4 %, whatever was won."""
    plan = Plan(150.0, 100.0)
    found = hits_of([_trade(net, fees_bp=11.0, plan=plan) for net in (139.0, -111.0, -111.0)])
    assert found.basis == "plan"
    assert found.break_even == pytest.approx(0.444)
    assert found.rate == pytest.approx(1 / 3)


def test_break_even_from_outcomes() -> None:
    """Without plans: wins of 30 and losses of 10 break even at a quarter."""
    found = hits_of([_trade(30.0), _trade(-10.0), _trade(-10.0)])
    assert (found.basis, found.break_even) == ("payoff", pytest.approx(0.25))


def test_break_even_unknown() -> None:
    """With wins alone, or a target below its cost, there is no rate to reach."""
    assert hits_of([_trade(1.0), _trade(2.0)]).break_even is None
    assert hits_of([_trade(-5.0, plan=Plan(8.0, 50.0))]).break_even is None


def test_the_best_day_is_left_out_of_the_rest() -> None:
    """Of -4, +90, +10 on two days the day of +100 is named, and the rest averages -4."""
    day = 86_400_000_000_000
    trades = [_trade(-4.0, 5), _trade(90.0, day), _trade(10.0, day + 1)]
    assert without_best_day(trades) == (day, -4.0)
    assert without_best_day(trades[1:]) == (day, None)


def test_rows_are_cells_after_their_total() -> None:
    """Kinds are apart, totals first, and each cell has its own trades and guard mode."""
    trades = [
        _trade(4.0, 2), _trade(2.0, 1), _trade(-3.0, 3, regime="RANGE", cell="alpha/majors/RANGE"),
        _trade(9.0, 0, kind=Kind.SHADOW),
    ]  # fmt: skip
    rows = rows_of_trades(trades, {"alpha/majors/RANGE": GuardMode.PROBE}, 0)
    assert [(row.kind, row.instrument, row.regime, row.trades, row.guard) for row in rows] == [
        ("real", ALL, ALL, 3, ""),
        ("real", "BTC", "NORMAL", 2, "SHADOW"),
        ("real", "BTC", "RANGE", 1, "PROBE"),
        ("shadow", ALL, ALL, 1, ""),
        ("shadow", "BTC", "NORMAL", 1, "SHADOW"),
    ]
    assert rows[1].net.mean == 3.0
    assert rows[1].gross.mean == 13.0
    assert rows[1].fee_bp == 10.0


def test_spreads_and_markouts_say_over_how_many() -> None:
    """Unknown ones are left out of the mean, and the count shows it."""
    trades = [
        _trade(spread_bp=2.0, impact_bp=1.0, maker_fills=2, markouts=((1.0, 3.0), (-4.0,))),
        _trade(spread_bp=4.0, impact_bp=0.0, maker_fills=1, markouts=((5.0,), ())),
        _trade(),
    ]
    row = rows_of_trades(trades, {}, 0)[0]
    assert (row.spread_bp, row.impact_bp, row.priced_trades, row.trades) == (3.0, 0.5, 2, 3)
    assert row.markouts == (Markout(3.0, 3), Markout(-4.0, 1))
    assert row.maker_fills == 3
    assert rows_of_trades([_trade()], {}, 0)[0].markouts == (None, None)


def test_a_regime_nobody_told_reads_normal() -> None:
    """On bars without any word of a regime it is NORMAL, as strategies and guard take it."""
    rows = rows_of_trades([_trade(regime=UNKNOWN), _trade()], {}, 0)
    assert [(row.regime, row.trades) for row in rows] == [(ALL, 2), ("NORMAL", 2)]


def test_no_trades_no_rows() -> None:
    """Nothing closed gives nothing to show."""
    assert rows_of_trades([], {}, 0) == []
