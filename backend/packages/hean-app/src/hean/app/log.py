"""The only place with log sinks. Secrets are redacted before a line is written."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from loguru import logger

if TYPE_CHECKING:
    from loguru import Record

_SECRET = re.compile(r"(?i)\b(api[_-]?key|api[_-]?secret|secret|signature|token)\b(\s*[=:]\s*)\S+")


def redact(text: str) -> str:
    """Return the text with the value of anything that looks like a secret replaced."""
    return _SECRET.sub(r"\1\2***", text)


def configure_logging(level: str = "WARNING") -> None:
    """Send logs of `level` and above to stderr, redacted."""
    logger.remove()
    logger.configure(patcher=_patch)
    logger.add(
        sys.stderr,
        level=level,
        format="{time:YYYY-MM-DD HH:mm:ss!UTC} {level} {message} {extra}",
        backtrace=False,
        diagnose=False,
    )


def _patch(record: Record) -> None:
    record["message"] = redact(record["message"])
