from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from msgspec.structs import replace

from hean.core.events import Quote, Side, Trade
from hean.core.events.market import FrameFeatures
from hean.core.features import FeatureSet, FrameBuilder, FrameRow, MicroPriceTable
from hean.core.features.bars import MinuteBars
from hean.core.features.batch import features_batch
from hean.core.features.columns import Integers
from hean.core.features.flow import Toxicity
from hean.core.features.frame_batch import (
    QuoteColumns,
    TradeColumns,
    frames_batch,
    minute_bars_batch,
)

ROWS = 60_000
FIRST = 1_750_032_000 - 137
SECOND = 1_000_000_000
TABLE = MicroPriceTable(
    version="made",
    corrections=tuple((at / 7.0 - 0.6, at / 9.0 - 0.5, at / 3.0 - 1.5) for at in range(10)),
)
WITHOUT_COLUMN = {"funding_now_cast", "basis_bp", "basis_mean_bp", "basis_sd_bp"}


@cache
def rows() -> list[FrameRow]:
    """Return a seeded series of seconds with bursts, silence, thin and thick volume."""
    generator = np.random.default_rng(11)
    scale = np.where(np.arange(ROWS) % 9000 < 600, 6.0, 1.0)
    moves = np.rint(generator.standard_t(4, ROWS) * 8 * scale).astype(int)
    moves[generator.random(ROWS) < 0.2] = 0
    mids = (1_200_000 + np.cumsum(moves)).tolist()
    draws = generator.integers(0, 400, (8, ROWS))
    draws[2:5, generator.random(ROWS) < 0.5] = 0
    draws[2:5, 20_000:22_000] *= generator.random(2000) < 0.02
    spreads = generator.integers(1, 5, ROWS).tolist()
    table = draws.tolist()
    found: list[FrameRow] = []
    before = mids[0]
    for at, mid in enumerate(mids):
        half = spreads[at] + (mid + spreads[at]) % 2
        bid, ask = (mid - half) // 2, (mid + half) // 2
        high, low = max(mid, before) + table[0][at] % 7, min(mid, before) - table[1][at] % 7
        change = 0 if mid == before else round(1e9 * float(np.log(mid / before)))
        buys, sells = table[2][at], table[3][at]
        found.append(
            FrameRow(
                FIRST + at,
                bid,
                ask,
                mid,
                high,
                low,
                change,
                buys,
                sells,
                (buys + sells) // 9,
                table[4][at],
                (buys + sells) * mid // 2,
                table[5][at] - 200,
                (table[6][at] - 200) * 1000,
                1 + table[6][at] + table[7][at],
                table[7][at] * 10,
                1,
                1,
                0,
                True,
                table[6][at],
            )
        )
        before = mid
    return found


def columns_of(found: list[FrameRow]) -> dict[str, Integers]:
    """Return the rows as columns by name."""
    names = [name for name in FrameRow.__struct_fields__ if name != "book_ready"]
    return {name: np.array([getattr(row, name) for row in found]) for name in names}


@cache
def live_features() -> list[FrameFeatures]:
    """Return what the live set answers second by second."""
    features, bars = FeatureSet.of(0.1), MinuteBars()
    features.table = TABLE
    answers: list[FrameFeatures] = []
    for row in rows():
        bar = bars.update(row)
        if bar is not None:
            features.range.update(bar.high, bar.low, bar.close)
        features.update(row)
        answers.append(features.read(features.regime_inputs()))
    return answers


def test_every_feature_equals_its_batch_form() -> None:
    """Over 60,000 seconds each column of features has every bit of the live values."""
    live = live_features()
    batch = features_batch(columns_of(rows()), 0.1, TABLE)
    for name in FrameFeatures.__struct_fields__:
        if name in WITHOUT_COLUMN:
            continue
        expected = np.array([getattr(one, name) for one in live])
        unlike = np.flatnonzero(
            ~((batch[name] == expected) | (np.isnan(batch[name]) & np.isnan(expected)))
        )
        assert not len(unlike), f"{name}: {len(unlike)} rows differ, first {unlike[0]}"


def test_most_features_become_ready() -> None:
    """All but the features that need a day or more have a value in the last of 60,000 seconds."""
    last = live_features()[-1]
    unready = {
        name
        for name in FrameFeatures.__struct_fields__
        if getattr(last, name) != getattr(last, name)
    }
    assert unready == WITHOUT_COLUMN | {
        "sigma_percentile",
        "spread_percentile",
        "vpin",
        "vpin_percentile",
    }


def ticks(seed: int) -> tuple[list[Quote], list[Trade], QuoteColumns, TradeColumns]:
    """Return seeded quotes and trades with empty seconds, as events and as columns."""
    generator = np.random.default_rng(seed)
    count = 70_000
    gaps = generator.exponential(0.6, count) * (1 + 9 * (generator.random(count) < 0.02))
    times = FIRST * SECOND + 5 + np.cumsum(gaps * 1e9).astype(np.int64)
    is_quote = generator.random(count) < 0.6
    is_quote[0] = True
    mid = 60_000 + np.cumsum(generator.integers(-2, 3, count))
    sizes = generator.integers(1, 3000, (2, count))
    buys = generator.integers(0, 2, count)
    quotes = [
        Quote(
            ts_event=0,
            ts_init=t,
            instrument="X",
            bid=m * 0.1,
            ask=(m + 2) * 0.1,
            bid_size=a * 0.001,
            ask_size=b * 0.001,
        )
        for t, m, a, b in zip(
            times[is_quote].tolist(),
            mid[is_quote].tolist(),
            sizes[0][is_quote].tolist(),
            sizes[1][is_quote].tolist(),
            strict=True,
        )
    ]
    traded = ~is_quote
    trades = [
        Trade(
            ts_event=0,
            ts_init=t,
            instrument="X",
            price=m * 0.1,
            quantity=a * 0.001,
            taker_side=Side.BUY if buy else Side.SELL,
        )
        for t, m, a, buy in zip(
            times[traded].tolist(),
            mid[traded].tolist(),
            sizes[0][traded].tolist(),
            buys[traded].tolist(),
            strict=True,
        )
    ]
    return (
        quotes,
        trades,
        QuoteColumns(
            times[is_quote],
            mid[is_quote],
            mid[is_quote] + 2,
            sizes[0][is_quote],
            sizes[1][is_quote],
        ),
        TradeColumns(times[traded], mid[traded], sizes[0][traded], buys[traded]),
    )


@pytest.mark.parametrize("seed", [21, 22])
def test_frames_and_minutes_equal_their_batch_forms(seed: int) -> None:
    """Rows and one-minute bars of 70,000 ticks, empty seconds included, equal the columns."""
    quotes, trades, quote_columns, trade_columns = ticks(seed)
    builder, minutes = FrameBuilder(1.0 / 0.1, 1.0 / 0.001), MinuteBars()
    builder.second = quotes[0].ts_init // SECOND
    found: list[FrameRow] = []
    for event in sorted([*quotes, *trades], key=lambda one: one.ts_init):
        while builder.second < event.ts_init // SECOND:
            found.append(builder.close())
        if isinstance(event, Quote):
            builder.add_quote(event)
        else:
            builder.add_trade(event)
    batch = frames_batch(quote_columns, trade_columns)
    live = columns_of(found)
    for name, column in batch.items():
        assert np.array_equal(column, live[name]), name
    bars = [bar for bar in map(minutes.update, found) if bar is not None]
    for name, column in minute_bars_batch(batch).items():
        assert np.array_equal(column, [getattr(bar, name) for bar in bars]), name


def test_features_do_not_depend_on_the_scale_of_price_and_tick() -> None:
    """Prices and tick times 1,000 give the same features, but for those that are prices."""
    near, far = FeatureSet.of(0.1), FeatureSet.of(100.0)
    prices = {"vwap_60", "vwap_900", "vwap_3600", "atr_60"}
    names = [name for name in FrameFeatures.__struct_fields__ if name not in prices]
    for row in rows()[:4000]:
        near.update(row)
        far.update(row)
    one, other = near.read(near.regime_inputs()), far.read(far.regime_inputs())
    assert repr([getattr(one, name) for name in names]) == repr(
        [getattr(other, name) for name in names]
    )
    assert other.vwap_60 == pytest.approx(one.vwap_60 * 1000.0)


def test_a_mirrored_path_mirrors_trend_and_leaves_sizes() -> None:
    """Negated returns negate every zeta and leave volatility, range, VR and impulse as they are."""
    up = features_of_path(1)
    down = features_of_path(-1)
    for name in ("zeta_60", "zeta_300", "zeta_900", "zeta_3600"):
        assert getattr(down, name) == -getattr(up, name)
    for name in ("sigma_fast", "sigma_slow", "jump_share", "range_ratio", "variance_ratio", "z_30"):
        assert getattr(down, name) == getattr(up, name)


def features_of_path(sign: int) -> FrameFeatures:
    """Return the features after 4,000 seconds whose returns are taken with this sign."""
    features = FeatureSet.of(0.1)
    for row in rows()[:4000]:
        features.update(replace(row, return_e9=sign * row.return_e9))
    return features.read(features.regime_inputs())


def test_toxicity_of_four_days_equals_its_batch_form() -> None:
    """Sampled every three seconds VPIN and its percentile have the live bits, learnt or not."""
    rows = 4 * 28_800
    generator = np.random.default_rng(17)
    volumes = generator.integers(0, 900, (2, rows)) * (generator.random((2, rows)) < 0.3)
    columns = {
        name: np.ones(rows, dtype=np.int64)
        for name in FrameRow.__struct_fields__
        if name != "book_ready"
    }
    midnight = 1_750_032_000 // 86_400 * 86_400
    columns |= {"second": midnight - 51 + 3 * np.arange(rows)}
    columns |= {"buy_lots": volumes[0], "sell_lots": volumes[1]}
    machine, live = Toxicity.of(), list[tuple[float, float]]()
    for row in zip(
        columns["second"].tolist(), volumes[0].tolist(), volumes[1].tolist(), strict=True
    ):
        machine.update(*row)
        live.append((machine.value, machine.percentile))
    batch = features_batch(columns, 0.1)
    for name, expected in zip(("vpin", "vpin_percentile"), np.array(live).T, strict=True):
        assert np.array_equal(batch[name], expected, equal_nan=True), name
        assert np.count_nonzero(~np.isnan(expected)) > 10_000, name
