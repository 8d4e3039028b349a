import pytest

from hean.app.settings import AppSettings
from hean.app.strategy_selection import enabling
from hean.config import load
from hean.core.errors import SettingsError


def test_just_the_named_are_enabled() -> None:
    """The settings enable each named strategy and switch every other one off."""
    found = enabling(("momentum_trader",))
    assert found["STRATEGIES__MOMENTUM_TRADER__ENABLED"] == "true"
    assert sorted(set(found.values())) == ["false", "true"]
    assert list(found.values()).count("true") == 1
    settings = load(AppSettings, arguments=found, environ={}).settings
    assert settings.strategies.momentum_trader.enabled
    assert not settings.strategies.hf_scalping.enabled


def test_an_unknown_name() -> None:
    """A mistyped strategy is refused with the nearest one."""
    with pytest.raises(SettingsError, match="'hf_scalpin'; nearest is hf_scalping"):
        enabling(("hf_scalpin",))


def test_no_name() -> None:
    """An empty list is refused: it would be a run of nothing."""
    with pytest.raises(SettingsError, match="names none"):
        enabling(())
