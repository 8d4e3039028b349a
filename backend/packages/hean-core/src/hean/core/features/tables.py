"""Fitted tables of a run: micro-price corrections and level weights, frozen and versioned.

They are fitted offline from counts and named by their content; without one nothing is assumed: the
micro-price is unknown and the five levels weigh the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import msgspec

from hean.core.errors import DataError
from hean.core.features.book import IMBALANCE_BUCKETS, LEVEL_WEIGHTS, LEVELS, MicroPriceTable

FORMAT: Final = 1
THOUSANDTHS: Final = 1000


class InstrumentTables(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The tables of one instrument, at the tick and lot size they were fitted at.

    `departures` counts, for each place of the micro-price table, the changes of state or mid it was
    fitted to; `level_weights` are thousandths, `level_share` the part of the five levels' variance
    that the first principal component explains over `level_seconds`. None: not fitted.
    """

    tick: float
    lot: float
    micro_price: MicroPriceTable | None = None
    departures: tuple[tuple[int, int, int], ...] = ()
    mid_moves: int = 0
    level_weights: tuple[int, ...] = LEVEL_WEIGHTS
    level_share: float | None = None
    level_seconds: int = 0


NO_TABLES: Final = InstrumentTables(tick=0.0, lot=0.0)
"""What an instrument without fitted tables has: no micro-price, levels of equal weight."""


class FeatureTables(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The tables of all instruments, and what they were fitted to; times in ns."""

    format: int = FORMAT
    version: str
    source: str
    source_sha256: str
    first: int
    last: int
    instruments: dict[str, InstrumentTables]

    def of(self, instrument: str, tick: float, lot: float) -> InstrumentTables:
        """Return an instrument's tables, or `NO_TABLES` where none fit its tick and lot size."""
        found = self.instruments.get(instrument, NO_TABLES)
        return found if (found.tick, found.lot) == (tick, lot) else NO_TABLES


class LoadedTables(msgspec.Struct, frozen=True, kw_only=True):
    """Tables as a run takes them: with the SHA-256 of the bytes they came from."""

    tables: FeatureTables
    sha256: str


def encode_tables(tables: FeatureTables) -> bytes:
    """Return the file's bytes: JSON, indented, the same for the same tables."""
    return msgspec.json.format(msgspec.json.encode(tables), indent=2) + b"\n"


def decode_tables(content: bytes) -> LoadedTables:
    """Return the tables of a file's bytes; raises `DataError` for anything but our own format."""
    try:
        tables = msgspec.json.decode(content, type=FeatureTables)
    except msgspec.MsgspecError as error:
        raise DataError(f"these are no feature tables: {error}") from error
    if tables.format != FORMAT:
        raise DataError(f"feature tables of format {tables.format}; this version reads {FORMAT}")
    for name, one in tables.instruments.items():
        _check(name, one)
    return LoadedTables(tables=tables, sha256=sha256(content).hexdigest())


def _check(name: str, one: InstrumentTables) -> None:
    weights: Sequence[int] = one.level_weights
    total = 0
    for weight in weights:
        total += abs(weight)
    if len(weights) != LEVELS or total != THOUSANDTHS:
        raise DataError(f"the level weights of {name} are {weights}, not 5 that make {THOUSANDTHS}")
    if one.micro_price is None:
        return
    rows = one.micro_price.corrections
    if len(rows) != IMBALANCE_BUCKETS or not all(math.isfinite(x) for row in rows for x in row):
        raise DataError(f"the micro-price table of {name} is not {IMBALANCE_BUCKETS} x 3 numbers")
