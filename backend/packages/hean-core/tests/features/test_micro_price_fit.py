from __future__ import annotations

import numpy as np
import pytest

from hean.core.features import TouchChain
from hean.core.features.book import IMBALANCE_BUCKETS, MicroPriceTable, micro_price
from hean.core.features.columns import Integers
from hean.core.features.micro_price_fit import (
    LEAST_DEPARTURES,
    departures_of,
    fit_micro_price,
    touch_chain_batch,
)

ROWS = 60_000


def touches(seed: int, lean: float) -> tuple[Integers, Integers, Integers, Integers]:
    """Return touches one tick wide; three in ten move the mid, towards the thin side by `lean`."""
    generator = np.random.default_rng(seed)
    share = generator.random(ROWS)
    rises = generator.random(ROWS) < 0.5 + lean * (share - 0.5)
    moves = np.where(generator.random(ROWS) < 0.3, np.where(rises, 1, -1), 0)
    bid = 100_000 + np.concatenate(([0], np.cumsum(moves)[:-1]))
    lots = np.rint(share * 1000).astype(np.int64)
    return bid, bid + 1, lots, 1000 - lots


def fit(version: str, *columns: Integers) -> MicroPriceTable:
    """Return the table fitted to columns of touches."""
    return fit_micro_price(version, touch_chain_batch(*columns))


def column(table: MicroPriceTable) -> list[float]:
    """Return the corrections for a spread of one tick, from the thinnest bid up."""
    return [row[0] for row in table.corrections]


def test_a_planted_lean_is_found_in_every_bucket() -> None:
    """Where I leans the next move and is drawn anew after, G is the chance to move x the lean."""
    table = fit("planted", *touches(1, 1.0))
    assert table.version == "planted"
    assert len(table.corrections) == IMBALANCE_BUCKETS
    centres = [(2 * at + 1) / IMBALANCE_BUCKETS - 1.0 for at in range(IMBALANCE_BUCKETS)]
    for found, centre in zip(column(table), centres, strict=True):
        assert found == pytest.approx(0.3 * centre, abs=0.05)


def test_corrections_are_antisymmetric_and_rise() -> None:
    """Mirrored touches are counted too, so G(1 - I) = -G(I), and G rises with I."""
    table = fit("x", *touches(2, 1.0))
    for row, mirror in zip(table.corrections, reversed(table.corrections), strict=True):
        for one, other in zip(row, mirror, strict=True):
            assert one == -other
    found = column(table)
    assert found == sorted(found)


def test_without_a_lean_there_is_nothing_to_correct() -> None:
    """Moves that do not follow the imbalance leave corrections near zero."""
    assert max(map(abs, column(fit("x", *touches(3, 0.0))))) < 0.03


def test_states_never_seen_are_not_corrected() -> None:
    """Spreads that did not occur get no correction, and the fit stays finite without any move."""
    table = fit("x", *touches(4, 1.0))
    assert all(row[1:] == (0.0, 0.0) for row in table.corrections)
    still = np.full(100, 1000)
    flat = fit("x", still, still + 2, still, still)
    assert flat.corrections == ((0.0, 0.0, 0.0),) * IMBALANCE_BUCKETS


def test_an_empty_touch_counts_as_a_thin_bid() -> None:
    """A touch without any size divides nothing by zero."""
    none = np.zeros(100, dtype=np.int64)
    bid = 1000 + np.arange(100) % 2
    table = fit("x", bid, bid + 1, none, none)
    assert np.isfinite(np.array(table.corrections)).all()


def test_the_same_touches_give_the_same_table_to_nine_digits() -> None:
    """Corrections are rounded to 1e-9, so the table is frozen and repeats itself."""
    first, second = (fit("x", *touches(5, 0.8)) for _ in range(2))
    assert first == second
    assert all(one == round(one, 9) for row in first.corrections for one in row)


def test_the_price_stays_between_bid_and_ask() -> None:
    """With a fitted table the micro-price leans to the thin side and stays inside the spread."""
    table = fit("x", *touches(6, 1.0))
    prices = [micro_price(1000, 1001, lots, 1000 - lots, table) for lots in range(0, 1001, 50)]
    assert prices == sorted(prices)
    assert 1000 < prices[0] < 1000.5 < prices[-1] < 1001


def wandering(seed: int, rows: int) -> tuple[Integers, Integers, Integers, Integers]:
    """Return touches of one to five ticks whose sizes often stand still or are empty."""
    generator = np.random.default_rng(seed)
    bid = 100_000 + np.cumsum(generator.integers(-1, 2, rows) * (generator.random(rows) < 0.3))
    ask = bid + generator.integers(1, 6, rows)
    lots = generator.integers(0, 4, (2, rows)) * generator.integers(0, 300, (2, rows))
    for column in lots:
        column[1::2] = column[::2][: rows // 2]
    return bid, ask, lots[0], lots[1]


def test_live_counts_equal_those_of_the_columns() -> None:
    """Over 200,000 touches of every spread, empty ones too, the live chain counts the same."""
    columns = wandering(7, 200_000)
    chain = TouchChain.of()
    for touch in zip(*(one.tolist() for one in columns), strict=True):
        chain.take(*touch)
    assert chain == touch_chain_batch(*columns)
    assert sum(chain.stay) > 10_000
    assert sum(chain.leave) > 10_000


def test_how_long_a_state_lasts_does_not_matter() -> None:
    """Touches that repeat themselves leave counts and table as they are."""
    columns = wandering(8, 20_000)
    twice = tuple(np.repeat(one, 2) for one in columns)
    assert touch_chain_batch(*columns) == touch_chain_batch(*twice)


def test_a_place_seen_too_seldom_is_not_corrected() -> None:
    """Below the least number of departures a correction is 0, whatever the few moves were."""
    seldom = LEAST_DEPARTURES // 2
    bid = 1000 + np.arange(seldom) % 2
    chain = touch_chain_batch(bid, bid + 1, np.full(seldom, 9), np.full(seldom, 1))
    assert departures_of(chain).sum() == 2 * (seldom - 1)
    assert fit_micro_price("x", chain).corrections == ((0.0, 0.0, 0.0),) * IMBALANCE_BUCKETS
