"""`--strategies a,b`: just these are enabled."""

from __future__ import annotations

from hean.app.settings import AppSettings
from hean.config import nearest
from hean.core.errors import SettingsError


def enabling(names: tuple[str, ...]) -> dict[str, str]:
    """Return the settings that enable the named strategies and no other."""
    known = [
        name
        for name, field in AppSettings.model_fields["strategies"].annotation.model_fields.items()
        if hasattr(field.annotation, "model_fields") and "enabled" in field.annotation.model_fields
    ]
    table = dict.fromkeys((name.upper() for name in known), "")
    for name in names:
        if name not in known:
            close = nearest(name, table).lower()
            raise SettingsError(f"unknown strategy {name!r}; nearest is {close}")
    if not names:
        raise SettingsError("--strategies names none; write --strategies momentum_trader")
    return {
        f"STRATEGIES__{name.upper()}__ENABLED": "true" if name in names else "false"
        for name in known
    }
