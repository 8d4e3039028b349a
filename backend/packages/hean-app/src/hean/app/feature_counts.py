"""What a run counted for the next fitted tables, left in its directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from hean.core.errors import DataError
from hean.core.features import TouchCounts

if TYPE_CHECKING:
    from hean.app.session import Session

COUNTS_FILE: Final = "feature_counts.json"


class SourceCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What a dataset or a run counted, and what it is: name, digest of its data, range in ns."""

    source: str
    source_sha256: str
    first: int
    last: int
    instruments: dict[str, TouchCounts]


def write_counts(session: Session, run_dir: Path) -> None:
    """Write what a session counted so far."""
    description = session.feed.description
    counts = SourceCounts(
        source=description.name,
        source_sha256=description.digest,
        first=description.first,
        last=session.now,
        instruments=session.system.features.counts(),
    )
    (run_dir / COUNTS_FILE).write_bytes(msgspec.json.encode(counts) + b"\n")


def read_counts(run_dir: Path) -> SourceCounts:
    """Return what a finished run counted; raises `DataError` where it left nothing."""
    path = run_dir / COUNTS_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=SourceCounts)
    except OSError:
        raise DataError(f"{run_dir} holds no {COUNTS_FILE}; give a finished run") from None
    except msgspec.MsgspecError as error:
        raise DataError(f"{path} holds no counts: {error}") from None
