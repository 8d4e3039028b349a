"""Compressed capture files as lines, with every way they can be broken as a `DataError`."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

import zstandard

from hean.core.errors import DataError

_CHUNK = 1 << 16


def gzip_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a `.gz` file; raises `DataError` where it is truncated or no gzip."""
    tail = b""
    try:
        with gzip.open(path, "rb") as file:
            while piece := file.read(_CHUNK):
                lines = (tail + piece).split(b"\n")
                tail = lines.pop()
                yield from lines
    except EOFError as error:
        raise DataError(
            f"{path} is truncated: its gzip stream ends too early; fetch the file again"
        ) from error
    except (OSError, zlib.error) as error:
        raise DataError(f"{path} cannot be read as gzip ({error}); fetch the file again") from error
    if tail:
        yield tail


def zstd_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a `.zst` file; raises `DataError` where it is truncated or no zstd."""
    tail = b""
    for piece in _zstd_pieces(path):
        lines = (tail + piece).split(b"\n")
        tail = lines.pop()
        yield from lines
    if tail:
        yield tail


def read_chunks(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file in pieces; raises `DataError` where it cannot be read."""
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}); fetch the file again"
        ) from error


def _zstd_pieces(path: Path) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor()
    frame: zstandard.ZstdDecompressionObj | None = None
    try:
        for chunk in read_chunks(path):
            rest = chunk
            while rest:
                frame = frame or decompressor.decompressobj()
                yield frame.decompress(rest)
                rest = b""
                if frame.eof:
                    rest = frame.unused_data
                    frame = None
    except zstandard.ZstdError as error:
        raise DataError(f"{path} cannot be read as zstd ({error}); fetch the file again") from error
    if frame is not None:
        raise DataError(f"{path} is truncated: its zstd frame ends too early; fetch the file again")
