from __future__ import annotations

import math
from functools import cache

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hean.core.features.batch_series import volatility_batch
from hean.core.features.columns import Integers
from hean.core.features.volatility import HALF_PI, PERCENTILE_READY, UNIT, Volatility

ROWS = 90_000
FIRST = 1_750_032_000 - 431
BP = 100_000


@cache
def returns() -> Integers:
    """Return seeded returns in 1e-9 with idle seconds, bursts and jumps."""
    generator = np.random.default_rng(5)
    found = np.rint(generator.standard_t(4, ROWS) * 0.9 * BP).astype(np.int64)
    found[generator.random(ROWS) < 0.3] = 0
    found[20_000:20_400] *= 5
    found[40_000:41_000] = 0
    found[50_000] = 60 * BP
    return found


def fed(changes: list[int]) -> Volatility:
    """Return the live state after these returns, one a second."""
    volatility = Volatility.of()
    for second, change in enumerate(changes, start=FIRST):
        volatility.update(second, change)
    return volatility


def test_volatility_equals_its_batch_form() -> None:
    """Over 90,000 seconds sigmas, jump share and percentile have every bit of their columns."""
    live = Volatility.of()
    rows: list[tuple[float, float, float, float]] = []
    for second, change in enumerate(returns().tolist(), start=FIRST):
        live.update(second, change)
        rows.append((live.fast, live.slow, live.percentile, live.jump_share))
    columns = np.array(rows).T
    batch = volatility_batch(FIRST + np.arange(ROWS), returns())
    names = ("sigma_fast", "sigma_slow", "sigma_percentile", "jump_share")
    for name, expected in zip(names, columns, strict=True):
        assert np.array_equal(batch[name], expected, equal_nan=True), name
    assert not math.isnan(rows[-1][2])
    assert math.isnan(rows[PERCENTILE_READY][2])


def test_each_measure_waits_for_one_half_life() -> None:
    """Sigma fast is known after 60 s, sigma slow after an hour, the jump share a second later."""
    volatility = fed([BP] * 59)
    assert math.isnan(volatility.fast)
    volatility = fed([BP] * 60)
    assert volatility.fast == pytest.approx(1e-4)
    assert math.isnan(volatility.jump_share)
    volatility = fed([BP] * 3600)
    assert volatility.slow == pytest.approx(1e-4)
    assert math.isnan(fed([BP] * 3599).slow)


def test_constant_sizes_have_no_jump_and_a_lone_one_is_all_jump() -> None:
    """With equal sizes bipower exceeds what was realised; of a single return nothing is bipower."""
    assert fed([BP, -BP] * 100).jump_share == 0.0
    assert fed([0] * 100 + [50 * BP] + [0] * 20).jump_share == 1.0
    assert fed([0] * 200).jump_share == 0.0


def test_a_diffusion_shows_few_jumps() -> None:
    """Of Gaussian returns bipower explains nearly all: the median share is small."""
    generator = np.random.default_rng(1)
    volatility = Volatility.of()
    shares: list[float] = []
    for second, change in enumerate((generator.normal(0.0, BP, 6000)).astype(int).tolist()):
        volatility.update(second, change)
        shares.append(volatility.jump_share)
    assert float(np.median(shares[200:])) < 0.12
    assert pytest.approx(1.5707963) == HALF_PI


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-50 * BP, 50 * BP), min_size=61, max_size=200), st.integers(2, 9))
def test_volatility_is_even_and_scales_with_the_returns(changes: list[int], factor: int) -> None:
    """Negated returns change nothing; k times the returns are k times the volatility."""
    one, mirrored = fed(changes), fed([-change for change in changes])
    assert (mirrored.fast, mirrored.jump_share) == (one.fast, one.jump_share)
    larger = fed([factor * change for change in changes])
    assert larger.fast == pytest.approx(factor * one.fast)
    assert larger.jump_share == pytest.approx(one.jump_share, abs=1e-9)
    assert 0.0 <= one.jump_share <= 1.0
    assert one.fast <= UNIT * max(abs(change) for change in changes) * (1 + 1e-12)


def test_a_snapshot_in_mid_stream_gives_the_same_remainder() -> None:
    """The struct itself is the snapshot: what follows a restore has the same bits."""
    changes = returns()[:8000].tolist()
    live = fed(changes[:5000])
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(live), type=Volatility)
    for second, change in enumerate(changes[5000:], start=FIRST + 5000):
        live.update(second, change)
        again.update(second, change)
    assert msgspec.msgpack.encode(again) == msgspec.msgpack.encode(live)
