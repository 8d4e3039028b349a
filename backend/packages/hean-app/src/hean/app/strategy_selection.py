"""`--strategies a,b`: just these are enabled, whoever offers them."""

from __future__ import annotations

import json

from hean.config import nearest
from hean.core.errors import SettingsError
from hean.strategies.registry import load_strategies
from hean.strategies.settings import StrategiesSettings


def enabling(names: tuple[str, ...]) -> dict[str, str]:
    """Return the settings that enable the named strategies and no other installed one."""
    installed = tuple(load_strategies())
    known = {name.upper(): name for name in installed}
    if not names:
        raise SettingsError("--strategies names none; write --strategies momentum_trader")
    for name in names:
        if name not in installed:
            close = known[nearest(name, known)]
            raise SettingsError(f"unknown strategy {name!r}; nearest is {close}")
    own = set(StrategiesSettings.model_fields)
    chosen = {
        f"STRATEGIES__{name.upper()}__ENABLED": str(name in names).lower()
        for name in installed
        if name in own
    }
    foreign = {name: {"enabled": name in names} for name in installed if name not in own}
    if foreign:
        chosen["STRATEGIES__OTHERS"] = json.dumps(foreign)
    return chosen
