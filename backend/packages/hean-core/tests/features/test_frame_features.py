from __future__ import annotations

import math
from functools import cache

import msgspec
import numpy as np
import pytest

from hean.core.events.market import FrameFeatures, Regime
from hean.core.features import FeatureSet, FrameRow
from hean.core.features.batch import features_batch
from hean.core.testing import BTC, START, mark

ROWS = 15_000
FIRST = 1_750_032_000 - 251
FROM_MINUTES = {"atr_60"}
OWN_GRID = {"funding_now_cast", "basis_bp", "basis_mean_bp", "basis_sd_bp"}


@cache
def rows() -> list[FrameRow]:
    """Return seeded seconds with idle stretches, bursts and thin volume."""
    generator = np.random.default_rng(17)
    moves = np.rint(generator.standard_t(4, ROWS) * 8).astype(int)
    moves[generator.random(ROWS) < 0.25] = 0
    moves[9_000:9_600] *= 6
    mids = (1_200_000 + 2 * np.cumsum(moves)).tolist()
    draws = generator.integers(0, 300, (6, ROWS))
    draws[:3, generator.random(ROWS) < 0.4] = 0
    table = draws.tolist()
    found: list[FrameRow] = []
    before = mids[0]
    for at, mid in enumerate(mids):
        half = 1 + table[5][at] % 4
        change = 0 if mid == before else round(1e9 * math.log(mid / before))
        buys, sells = table[0][at], table[1][at]
        found.append(
            FrameRow(
                second=FIRST + at,
                bid=mid // 2 - half,
                ask=mid // 2 + half,
                mid=mid,
                high=max(mid, before) + table[3][at] % 5,
                low=min(mid, before) - table[4][at] % 5,
                return_e9=change,
                buy_lots=buys,
                sell_lots=sells,
                trades=(buys + sells) // 7,
                largest_lots=max(buys, sells),
                traded_ticks=(buys + sells) * mid // 2,
                ofi=table[3][at] - 150,
                ofi_levels=(table[4][at] - 150) * 1000,
                top_lots=1 + table[5][at],
                depth_lots=5 + table[5][at] * 10,
                quotes=1,
                books=1,
                conflated=0,
                book_ready=True,
            )
        )
        before = mid
    return found


def test_the_whole_set_equals_its_batch_form_over_four_hours() -> None:
    """Every feature that has a column has the live bits in each of 15,000 seconds."""
    features, answers = FeatureSet.of(0.1), list[FrameFeatures]()
    for row in rows():
        features.update(row)
        answers.append(features.read(features.regime_inputs()))
    names = [name for name in FrameRow.__struct_fields__ if name != "book_ready"]
    columns = {name: np.array([getattr(row, name) for row in rows()]) for name in names}
    batch = features_batch(columns, 0.1)
    named = set(FrameFeatures.__struct_fields__) - OWN_GRID
    assert named <= set(batch)
    for name in sorted(named - FROM_MINUTES):
        expected = [getattr(one, name) for one in answers]
        assert np.array_equal(batch[name], expected, equal_nan=True), name


def test_a_fresh_set_knows_nothing() -> None:
    """Before any row no feature has a value, and neither regime nor phase has its inputs."""
    features = FeatureSet.of(0.1)
    inputs = features.regime_inputs()
    assert not inputs.ready
    found = features.read(inputs)
    known = {
        name
        for name in FrameFeatures.__struct_fields__
        if getattr(found, name) == getattr(found, name)
    }
    assert known <= {"depth_5", "spread_bp", "cvd"}


def test_the_regime_is_decided_on_what_the_frame_shows() -> None:
    """Impulse, range, variance ratio and zeta are those of the features; ratio fast over slow."""
    features = FeatureSet.of(0.1)
    for row in rows()[:4000]:
        features.update(row)
    inputs = features.regime_inputs()
    found = features.read(inputs)
    assert inputs.ready
    assert (inputs.impulse, inputs.zeta) == (found.z_30, found.zeta_3600)
    assert (inputs.range_ratio, inputs.variance_ratio) == (found.range_ratio, found.variance_ratio)
    assert inputs.sigma_ratio == found.sigma_fast / found.sigma_slow


def test_the_phase_is_decided_on_heat_jumps_trend_and_spread() -> None:
    """Its inputs are the sigma percentile, the jump share, the spread's score, and the regime."""
    features = FeatureSet.of(0.1)
    for row in rows()[:4000]:
        features.update(row)
    found = features.phase_inputs(0.7, Regime.IMPULSE)
    read = features.read(features.regime_inputs())
    assert math.isnan(read.sigma_percentile)
    assert msgspec.structs.astuple(found)[1:] == (
        read.jump_share,
        0.7,
        features.spread.score(),
        Regime.IMPULSE,
    )


def test_prices_are_in_the_instrument_s_own_unit() -> None:
    """VWAP is ticks times the tick, ATR half-ticks times half of it."""
    features = FeatureSet.of(0.5)
    for row in rows()[:120]:
        features.update(row)
    for _ in range(14):
        features.range.update(120_010, 120_000, 120_005)
    found = features.read(features.regime_inputs())
    assert found.atr_60 == 10 * 0.5 * 0.5
    newest = rows()[60:120]
    lots = sum(row.buy_lots + row.sell_lots for row in newest)
    assert found.vwap_60 == sum(row.traded_ticks for row in newest) / lots * 0.5


def test_the_basis_shows_only_while_it_is_known() -> None:
    """Without an index there is no basis, nor a mean of one; with one it is 1e4·ln(mark/index)."""
    features = FeatureSet.of(0.1)
    second = START // 1_000_000_000
    plain = rows()[0]
    features.update(msgspec.structs.replace(plain, second=second))
    assert math.isnan(features.read(features.regime_inputs()).basis_bp)
    at = START + 1_000_000_000
    features.basis.follow(mark(60_060.0, index=60_000.0, instrument=BTC, at=at))
    features.update(msgspec.structs.replace(plain, second=second + 1))
    found = features.read(features.regime_inputs())
    assert found.basis_bp == pytest.approx(1e4 * math.log(1.001), abs=1e-4)
    assert math.isnan(found.basis_mean_bp)


def test_a_snapshot_in_mid_stream_gives_the_same_remainder() -> None:
    """The struct itself is the snapshot: what is read after a restore has the same bits."""
    live = FeatureSet.of(0.1)
    for row in rows()[:6000]:
        live.update(row)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(live), type=FeatureSet)
    for row in rows()[6000:8000]:
        live.update(row)
        again.update(row)
        mine, theirs = (one.read(one.regime_inputs()) for one in (live, again))
        assert repr(mine) == repr(theirs)
    assert msgspec.msgpack.encode(again) == msgspec.msgpack.encode(live)
