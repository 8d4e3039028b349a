"""The file of instrument specifications."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from hean.app.replay.instruments_file import find_instrument, nearest, read_instruments
from hean.core.errors import DataError

from .dataset_files import PERPETUAL, SPOT, specification


def _write(folder: Path, *rows: dict[str, object]) -> Path:
    path = folder / "instruments.json"
    path.write_text(json.dumps(rows))
    return path


def test_specifications_become_instruments(tmp_path: Path) -> None:
    """Decimals keep their text, minutes become ns, and spot has no funding."""
    found = read_instruments(_write(tmp_path, specification(PERPETUAL), specification(SPOT)))
    assert list(found) == [PERPETUAL, SPOT]
    assert found[PERPETUAL].tick_size == Decimal("0.1")
    assert found[PERPETUAL].funding_interval_ns == 480 * 60_000_000_000
    assert found[SPOT].is_spot
    assert found[SPOT].funding_interval_ns == 0
    assert find_instrument(found, SPOT, "here") is found[SPOT]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tick_size": "0"}, "tick_size of BTCUSDT-PERP.BYBIT is '0'"),
        ({"lot_step": "x"}, "lot_step of BTCUSDT-PERP.BYBIT is 'x'"),
        ({"maker_fee": "NaN"}, "maker_fee of BTCUSDT-PERP.BYBIT is 'NaN'"),
        ({"kind": "option"}, "is not as expected"),
        ({"tick_size": 0.1}, r"\$\[0\]\.tick_size"),
        ({"funding_interval_minutes": -1}, "funding_interval_minutes"),
    ],
)
def test_wrong_specifications_are_refused(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    """A value that cannot be used is named with its field and instrument."""
    with pytest.raises(DataError, match=said):
        read_instruments(_write(tmp_path, specification(PERPETUAL, **change)))


def test_a_double_a_missing_and_a_broken_file_are_refused(tmp_path: Path) -> None:
    """Doubles, no file and no JSON are each a `DataError`."""
    with pytest.raises(DataError, match="twice"):
        read_instruments(_write(tmp_path, specification(SPOT), specification(SPOT)))
    with pytest.raises(DataError, match="cannot be read"):
        read_instruments(tmp_path / "none.json")
    (tmp_path / "broken.json").write_text('[{"id": ')
    with pytest.raises(DataError, match="is not valid JSON"):
        read_instruments(tmp_path / "broken.json")


def test_the_nearest_name_is_offered() -> None:
    """A name close to a known one names it, another one lists what there is."""
    assert nearest("bas", ("bars", "funding"), "it") == "nearest is bars"
    assert nearest("zzz", ("bars", "funding"), "it") == "it has bars, funding"
