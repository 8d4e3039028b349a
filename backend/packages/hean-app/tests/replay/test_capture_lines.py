"""Lines of compressed files, whole and broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from hean.app.replay.capture_lines import gzip_lines, read_chunks, zstd_lines
from hean.core.errors import DataError

from .dataset_files import write_gzip, write_zstd

Read = Callable[[Path], Iterator[bytes]]
Write = Callable[[Path, Sequence[str]], Path]
LINES = [f"line {number} {'x' * (number % 50)}" for number in range(20_000)]
BOTH = [(gzip_lines, write_gzip), (zstd_lines, write_zstd)]


@pytest.mark.parametrize(("read", "write"), BOTH)
def test_lines_come_back_as_written(tmp_path: Path, read: Read, write: Write) -> None:
    """Every line comes once and in order, across the pieces they are read in."""
    path = write(tmp_path / "lines", LINES)
    assert [line.decode() for line in read(path)] == LINES


@pytest.mark.parametrize(("read", "write"), BOTH)
def test_two_compressed_parts_are_one_file(tmp_path: Path, read: Read, write: Write) -> None:
    """A file made by appending a second compressed part has the lines of both."""
    first, second = write(tmp_path / "a", ["one"]), write(tmp_path / "b", ["two"])
    (tmp_path / "c").write_bytes(first.read_bytes() + second.read_bytes())
    assert list(read(tmp_path / "c")) == [b"one", b"two"]


@pytest.mark.parametrize(("read", "write"), BOTH)
def test_a_truncated_file_is_refused(tmp_path: Path, read: Read, write: Write) -> None:
    """A file cut short is a `DataError` that says so, not a shorter file."""
    path = write(tmp_path / "lines", LINES)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="truncated"):
        list(read(path))


@pytest.mark.parametrize("read", [gzip_lines, zstd_lines])
def test_what_is_not_compressed_is_refused(tmp_path: Path, read: Read) -> None:
    """Plain text and a missing file are each a `DataError` that names the file."""
    (tmp_path / "plain").write_text("hello\n" * 10)
    for name in ("plain", "none"):
        with pytest.raises(DataError, match=f"{name} cannot be read"):
            list(read(tmp_path / name))


def test_chunks_are_the_whole_file(tmp_path: Path) -> None:
    """The pieces of a file joined are its bytes."""
    data = bytes(range(256)) * 2000
    (tmp_path / "data").write_bytes(data)
    assert b"".join(read_chunks(tmp_path / "data")) == data
