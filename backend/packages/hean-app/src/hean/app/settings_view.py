"""`hean-app config`: every effective setting and where it came from."""

from __future__ import annotations

import json
import sys

from hean.app.settings import AppSettings
from hean.config import Loaded, effective


def print_settings(loaded: Loaded[AppSettings], *, as_json: bool) -> None:
    """Print NAME, value and source of every setting; secrets are never shown."""
    values = effective(loaded.settings)
    if as_json:
        rows = {
            name: {"value": value, "source": loaded.sources[name]} for name, value in values.items()
        }
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return
    width = max(map(len, values))
    for name, value in values.items():
        sys.stdout.write(f"{name:<{width}}  {value or '-':<24}  {loaded.sources[name]}\n")
