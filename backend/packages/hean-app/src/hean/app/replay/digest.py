"""The digest of a dataset: what it means and what its files hold, wherever they lie."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import msgspec

from hean.app.replay.capture_lines import read_chunks
from hean.app.replay.catalog import Dataset
from hean.core.instruments import Instrument

_FORMAT = "hean-dataset-1"


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hex."""
    digest = sha256()
    for chunk in read_chunks(path):
        digest.update(chunk)
    return digest.hexdigest()


def dataset_digest(
    dataset: Dataset, instruments: Sequence[Instrument], *, start: int, end: int
) -> str:
    """Return SHA-256 over series, files, instruments' rules and range; names and paths stay out."""
    series = [
        {
            "kind": one.kind.value,
            "instruments": [instrument.id for instrument in one.instruments],
            "interval_ns": one.interval_ns,
            "source": one.source,
            "files": [file_sha256(path) for path in one.paths],
        }
        for one in dataset.series
    ]
    rules = [msgspec.to_builtins(one, builtin_types=()) for one in instruments]
    meaning = {
        "format": _FORMAT,
        "series": series,
        "instruments": rules,
        "start": start,
        "end": end,
    }
    return sha256(msgspec.json.encode(meaning, order="deterministic")).hexdigest()
