"""Fits the micro-price table offline, from columns of touches.

Source: Stoikov 2018, The micro-price.
"""

from __future__ import annotations

import numpy as np

from hean.core.features.book import IMBALANCE_BUCKETS, MicroPriceTable
from hean.core.features.columns import Floats, Integers

RIDGE = 1e-9
"""Added to the diagonal, so that states that never saw the mid move can be inverted."""


def fit_micro_price(
    version: str, bid: Integers, ask: Integers, bid_lots: Integers, ask_lots: Integers
) -> MicroPriceTable:
    """Fit a table to columns of touches by the absorbing-chain recursion, made symmetric.

    G = (1 - Q)^-1 · R·K + the later moves: with Q the transitions that leave the mid, R·K the mean
    move of those that do not and B their arrival states, G* = sum over i of B^i·G1. The mirrored
    touches are counted too, so that G(1 - I) = -G(I) and the sum converges.
    """
    size = np.maximum(bid_lots + ask_lots, 1)
    row = np.minimum(IMBALANCE_BUCKETS * bid_lots // size, IMBALANCE_BUCKETS - 1)
    column = np.clip(ask - bid, 1, 3) - 1
    states = 3 * IMBALANCE_BUCKETS
    state = row * 3 + column
    mirror = (IMBALANCE_BUCKETS - 1 - row) * 3 + column
    move = np.diff(bid + ask) / 2.0
    stay, leave = np.zeros((states, states)), np.zeros((states, states))
    gain = np.zeros(states)
    for places, moves in ((state, move), (mirror, -move)):
        still = moves == 0.0
        np.add.at(stay, (places[:-1][still], places[1:][still]), 1.0)
        np.add.at(leave, (places[:-1][~still], places[1:][~still]), 1.0)
        np.add.at(gain, places[:-1][~still], moves[~still])
    total = np.maximum(stay.sum(axis=1) + leave.sum(axis=1), 1.0)[:, None]
    inverse = _inverse(np.eye(states) * (1.0 + RIDGE) - stay / total)
    step = np.dot(inverse, gain[:, None] / total)
    arrive = np.dot(inverse, leave / total)
    result = np.copy(step)
    for _ in range(20):
        step = np.dot(arrive, step)
        result = np.add(result, step)
    rounded: list[float] = np.round(result.ravel(), 9).tolist()
    corrections = tuple(
        (rounded[at], rounded[at + 1], rounded[at + 2]) for at in range(0, states, 3)
    )
    return MicroPriceTable(version=version, corrections=corrections)


def _inverse(matrix: Floats) -> Floats:
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)
