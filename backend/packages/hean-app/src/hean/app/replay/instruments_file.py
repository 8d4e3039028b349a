"""The JSON file of instrument specifications beside a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from pathlib import Path

import msgspec

from hean.core.errors import DataError
from hean.core.instruments import Instrument, InstrumentKind

_MINUTE_NS = 60_000_000_000


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    symbol: str
    kind: InstrumentKind
    base: str
    quote: str
    tick_size: str
    lot_step: str
    min_qty: str
    max_qty: str
    max_market_qty: str
    min_notional: str
    max_leverage: str
    maker_fee: str
    taker_fee: str
    funding_interval_minutes: int | None = None
    borrowable: bool = False
    source: str = ""


def read_instruments(path: Path) -> dict[str, Instrument]:
    """Return the instruments of the file by id, in its order; raises `DataError`."""
    try:
        rows = msgspec.json.decode(path.read_bytes(), type=list[_Row])
    except OSError as error:
        raise DataError(
            f"instruments file {path} cannot be read ({error.strerror}); "
            "set `instruments` in the dataset to the JSON file of specifications"
        ) from error
    except msgspec.ValidationError as error:
        raise DataError(f"instruments file {path} is not as expected: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(f"instruments file {path} is not valid JSON: {error}") from error
    found: dict[str, Instrument] = {}
    for row in rows:
        if row.id in found:
            raise DataError(f"instruments file {path} has {row.id} twice; remove one")
        found[row.id] = _instrument(row, path)
    return found


def find_instrument(found: Mapping[str, Instrument], name: str, asked_by: str) -> Instrument:
    """Return the instrument named; raises `DataError` with the nearest name there is."""
    instrument = found.get(name)
    if instrument is not None:
        return instrument
    meant = nearest(name, found, "its instruments file")
    raise DataError(f"{asked_by}: instrument {name!r} is unknown; {meant}")


def nearest(name: str, known: Mapping[str, object] | tuple[str, ...], where: str) -> str:
    """Return a half-sentence that names what `name` was probably meant to be."""
    close = get_close_matches(name, list(known), n=1, cutoff=0.5)
    if close:
        return f"nearest is {close[0]}"
    return f"{where} has {', '.join(known) or 'none'}"


def _instrument(row: _Row, path: Path) -> Instrument:
    def number(field: str, *, above_zero: bool = False) -> Decimal:
        text: str = getattr(row, field)
        try:
            value = Decimal(text)
        except InvalidOperation:
            value = Decimal("NaN")
        if not value.is_finite() or (above_zero and value <= 0):
            wanted = "a decimal above 0" if above_zero else "a decimal"
            raise DataError(
                f"instruments file {path}: {field} of {row.id} is {text!r}; {wanted} is needed"
            )
        return value

    minutes = row.funding_interval_minutes or 0
    if minutes < 0:
        raise DataError(
            f"instruments file {path}: funding_interval_minutes of {row.id} is {minutes}; "
            "a whole number above 0, or null, is needed"
        )
    return Instrument(
        id=row.id,
        symbol=row.symbol,
        kind=row.kind,
        base=row.base,
        quote=row.quote,
        tick_size=number("tick_size", above_zero=True),
        lot_step=number("lot_step", above_zero=True),
        min_quantity=number("min_qty", above_zero=True),
        max_quantity=number("max_qty", above_zero=True),
        max_market_quantity=number("max_market_qty", above_zero=True),
        min_notional=number("min_notional"),
        max_leverage=number("max_leverage", above_zero=True),
        maker_fee=number("maker_fee"),
        taker_fee=number("taker_fee"),
        funding_interval_ns=minutes * _MINUTE_NS,
        borrowable=row.borrowable,
    )
