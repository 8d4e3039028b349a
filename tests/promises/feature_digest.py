"""Prints digests of the live and the batch features of one seeded day part, for another Python."""

from __future__ import annotations

import json
import random
import struct
import sys
from hashlib import blake2b

import numpy as np

from hean.core.events.market import FrameFeatures
from hean.core.features import Covariation, FeatureSet, FrameRow, MicroPriceTable, PairWindow
from hean.core.features.bars import MinuteBars
from hean.core.features.batch import features_batch
from hean.core.features.covariation_batch import covariation_batch

ROWS = 9_000
FIRST = 1_750_032_000 - 137
OWN_GRID = ("funding_now_cast", "basis_bp", "basis_mean_bp", "basis_sd_bp")
TABLE = MicroPriceTable(
    version="made", corrections=tuple((at / 7.0 - 0.6, at / 9.0 - 0.5, 0.1) for at in range(10))
)


def rows() -> list[FrameRow]:
    """Return seeded seconds; the standard library draws the same numbers on every Python."""
    chance = random.Random(3)
    found: list[FrameRow] = []
    before = mid = 1_200_000
    for at in range(ROWS):
        scale = 40 if at % 3000 < 200 else 8
        mid += round(chance.gauss(0.0, scale)) if chance.random() < 0.8 else 0
        width = chance.randrange(1, 5)
        bid = (mid - width) // 2
        mid = 2 * bid + width
        draw = [chance.randrange(400) for _ in range(6)]
        found.append(
            FrameRow(
                second=FIRST + at,
                bid=bid,
                ask=bid + width,
                mid=mid,
                high=max(mid, before) + draw[0] % 7,
                low=min(mid, before) - draw[1] % 7,
                return_e9=round(1e9 * float(np.log(mid / before))) if mid != before else 0,
                buy_lots=draw[0],
                sell_lots=draw[1],
                trades=draw[2] // 9,
                largest_lots=draw[2],
                traded_ticks=(draw[0] + draw[1]) * mid // 2,
                ofi=draw[3] - 200,
                ofi_levels=(draw[4] - 200) * 1000,
                top_lots=1 + draw[4] + draw[5],
                depth_lots=draw[5] * 10,
                quotes=1,
                books=1,
                conflated=0,
                book_ready=True,
                bid_lots=draw[4],
            )
        )
        before = mid
    return found


def digest(columns: dict[str, list[float]]) -> dict[str, str]:
    """Return a short digest of each column's bits; every NaN counts as the same one."""
    return {
        name: blake2b(
            struct.pack(f"<{len(column)}d", *(x if x == x else float("nan") for x in column)),
            digest_size=8,
        ).hexdigest()
        for name, column in columns.items()
    }


def live(found: list[FrameRow]) -> dict[str, list[float]]:
    """Return the columns the live set answers second by second."""
    features, bars = FeatureSet.of(0.1), MinuteBars()
    features.table = TABLE
    answers: list[FrameFeatures] = []
    for row in found:
        bar = bars.update(row)
        if bar is not None:
            features.range.update(bar.high, bar.low, bar.close)
        features.update(row)
        answers.append(features.read(features.regime_inputs()))
    names = [name for name in FrameFeatures.__struct_fields__ if name not in OWN_GRID]
    return {name: [getattr(one, name) for one in answers] for name in names}


def batch(found: list[FrameRow]) -> dict[str, list[float]]:
    """Return the columns of the batch forms."""
    names = [name for name in FrameRow.__struct_fields__ if name != "book_ready"]
    columns = {name: np.array([getattr(row, name) for row in found]) for name in names}
    return {name: one.tolist() for name, one in features_batch(columns, 0.1, TABLE).items()}


def pair(found: list[FrameRow]) -> dict[str, list[float]]:
    """Return the fit of a pair of minutes and the sums over overlapping moves, live and batch."""
    window, moves = PairWindow(1440), Covariation.of()
    one = [row.mid for row in found[::3]]
    other = [row.mid + row.bid_lots for row in found[1::2]]
    for at, price in enumerate(one[:1440]):
        window.update(price, price + other[at] % 97)
    ticks = [(at * 900_000_000, 0, price) for at, price in enumerate(one)]
    ticks += [(at * 700_000_000, 1, price) for at, price in enumerate(other)]
    for at, which, price in sorted(ticks):
        (moves.take_second if which else moves.take_first)(at, price)
    fit = window.fit()
    assert fit is not None
    sums = covariation_batch(
        np.arange(len(one)) * 900_000_000,
        np.array(one),
        np.arange(len(other)) * 700_000_000,
        np.array(other),
    )
    return {
        "pair": [fit.alpha, fit.beta, fit.phi, fit.deviation, fit.t, fit.correlation],
        "covariation": [moves.correlation(1000), float(sums["cross"].sum())],
    }


def main() -> None:
    """Print one line of JSON: the digest of every column, live and batch."""
    found = rows()
    digests = {"live": digest(live(found)), "batch": digest(batch(found))}
    told = json.dumps({**digests, "pair": digest(pair(found))}, sort_keys=True)
    sys.stdout.write(told + "\n")


if __name__ == "__main__":
    main()
