"""Fits the micro-price table offline, from counts of touches or from columns of them.

Source: Stoikov 2018, The micro-price.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from hean.core.features.batch_series import imbalance_rows
from hean.core.features.book import IMBALANCE_BUCKETS, MicroPriceTable
from hean.core.features.columns import Floats, Integers
from hean.core.features.touches import SPREAD_BUCKETS, STATES, TouchChain

RIDGE: Final = 1e-9
"""Added to the diagonal, so that states that never saw the mid move can be inverted."""
LEAST_DEPARTURES: Final = 30
"""A state (with its mirror) that was left less often than this is not corrected."""
_LATER_MOVES: Final = 20
_MIRROR: Final = np.arange(STATES).reshape(IMBALANCE_BUCKETS, SPREAD_BUCKETS)[::-1].ravel()


def touch_chain_batch(
    bid: Integers, ask: Integers, bid_lots: Integers, ask_lots: Integers
) -> TouchChain:
    """Return what `TouchChain` counts over columns of touches that follow each other."""
    state = imbalance_rows(bid_lots, ask_lots) * SPREAD_BUCKETS
    state += np.clip(ask - bid, 1, SPREAD_BUCKETS) - 1
    move, before, now = np.diff(bid + ask), state[:-1], state[1:]
    place = before * STATES + now
    leaves, stays = move != 0, (move == 0) & (before != now)
    gain = np.zeros(STATES, dtype=np.int64)
    np.add.at(gain, before, move)
    return TouchChain(
        np.bincount(place[stays], minlength=STATES * STATES).tolist(),
        np.bincount(place[leaves], minlength=STATES * STATES).tolist(),
        gain.tolist(),
        int(state[-1]),
        int(bid[-1] + ask[-1]),
    )


def departures_of(chain: TouchChain) -> Integers:
    """Return how often each state, or its mirror, was left, as rows and columns of the table."""
    left = np.array(chain.stay) + np.array(chain.leave)
    table = left.reshape(STATES, STATES).sum(axis=1).reshape(IMBALANCE_BUCKETS, SPREAD_BUCKETS)
    return table + table[::-1]


def fit_micro_price(version: str, chain: TouchChain) -> MicroPriceTable:
    """Fit a table to counts by the absorbing-chain recursion, made symmetric.

    G = (1 - Q)^-1 · R·K + the later moves: with Q the transitions that leave the mid, R·K the mean
    move of those that do not and B their arrival states, G* = sum over i of B^i·G1. The mirrored
    touches are counted too, so that G(1 - I) = -G(I) and the sum converges.
    """
    stay, leave = _with_mirror(chain.stay), _with_mirror(chain.leave)
    gain = np.array(chain.gain, dtype=np.float64) / 2.0
    gain -= gain[_MIRROR]
    total = np.maximum(stay.sum(axis=1) + leave.sum(axis=1), 1.0)[:, None]
    inverse = _inverse(np.eye(STATES) * (1.0 + RIDGE) - stay / total)
    step = np.dot(inverse, gain[:, None] / total)
    arrive = np.dot(inverse, leave / total)
    result = np.copy(step)
    for _ in range(_LATER_MOVES):
        step = np.dot(arrive, step)
        result = np.add(result, step)
    result = (result.ravel() - result.ravel()[_MIRROR]) / 2.0
    known = departures_of(chain).ravel() >= LEAST_DEPARTURES
    rounded: list[float] = (np.round(np.where(known, result, 0.0), 9) + 0.0).tolist()
    corrections = tuple(
        (rounded[at], rounded[at + 1], rounded[at + 2]) for at in range(0, STATES, SPREAD_BUCKETS)
    )
    return MicroPriceTable(version=version, corrections=corrections)


def _with_mirror(counts: list[int]) -> Floats:
    matrix = np.array(counts, dtype=np.float64).reshape(STATES, STATES)
    return matrix + matrix[_MIRROR][:, _MIRROR]


def _inverse(matrix: Floats) -> Floats:
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)
