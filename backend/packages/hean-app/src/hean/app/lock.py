"""One running instance per state directory."""

from __future__ import annotations

import fcntl
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import IO

from hean.core.errors import StateError


class StateLock(AbstractContextManager["StateLock"]):
    """Holds `DIR/lock` for as long as the process lives; a kill frees it."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "lock"
        self._file: IO[str] | None = None

    def __enter__(self) -> StateLock:
        try:
            file = self._path.open("w")
        except OSError as error:
            raise StateError(
                f"{self._path} cannot be written ({error.strerror}); give another STATE_DIR"
            ) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise StateError(
                f"{self._path.parent} is in use by another running instance; "
                "stop that one or give another STATE_DIR"
            ) from None
        self._file = file
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
