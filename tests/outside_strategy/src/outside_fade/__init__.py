"""A strategy from outside: it fades large bars."""

from __future__ import annotations

from .strategy import FadeSettings, FadeState, OutsideFade

__all__ = ["FadeSettings", "FadeState", "OutsideFade"]
