from __future__ import annotations

import pytest

from hean.core.errors import DataError
from hean.core.features import (
    NO_TABLES,
    FeatureTables,
    InstrumentTables,
    MicroPriceTable,
    decode_tables,
    encode_tables,
)

ROWS = tuple((at / 10.0, 0.0, -0.0) for at in range(10))


def made(rows: tuple[tuple[float, float, float], ...] = ROWS, first: int = 400) -> FeatureTables:
    """Return tables of one instrument."""
    return FeatureTables(
        version="v",
        source="made",
        source_sha256="00",
        first=1,
        last=2,
        instruments={
            "X": InstrumentTables(
                tick=0.1,
                lot=0.001,
                micro_price=MicroPriceTable(version="v", corrections=rows),
                level_weights=(first, 300, 200, 50, 50),
            )
        },
    )


def test_a_file_gives_back_its_tables_and_its_digest() -> None:
    """Encoded and decoded tables are equal, and any change of content changes the digest."""
    content = encode_tables(made())
    loaded = decode_tables(content)
    assert loaded.tables == made()
    assert decode_tables(content.replace(b"0.9", b"0.8")).sha256 != loaded.sha256


def test_tables_serve_only_the_tick_and_lot_they_were_fitted_at() -> None:
    """Another instrument, tick or lot size has none."""
    tables = made()
    assert tables.of("X", 0.1, 0.001) is tables.instruments["X"]
    assert tables.of("Y", 0.1, 0.001) is NO_TABLES
    assert tables.of("X", 0.01, 0.001) is NO_TABLES
    assert tables.of("X", 0.1, 0.01) is NO_TABLES


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"no json", "no feature tables"),
        (b"[]", "no feature tables"),
        (encode_tables(made(ROWS[:9])), "10 x 3"),
        (encode_tables(made(first=401)), "make 1000"),
        (encode_tables(made()).replace(b'"format": 1', b'"format": 7'), "format 7"),
        (encode_tables(made()).replace(b'"source"', b'"sauce"'), "sauce"),
    ],
)
def test_what_is_not_a_table_is_refused_by_name(content: bytes, word: str) -> None:
    """Malformed files raise one sentence that says what is wrong."""
    with pytest.raises(DataError, match=word):
        decode_tables(content)
