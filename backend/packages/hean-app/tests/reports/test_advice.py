from __future__ import annotations

from hean.app.reports.advice import BY_CAP, BY_CODE, BY_STRATEGY, advise, needed_values
from hean.app.reports.why import Place
from hean.app.settings import AppSettings
from hean.config import settings_of
from hean.core.events import ReasonCode
from hean.strategies.spec import TABLE


def test_every_reason_has_advice() -> None:
    """No refusal leaves the reader without a setting or a sentence."""
    assert set(BY_CODE) == set(ReasonCode)
    for advice in (*BY_CODE.values(), *BY_CAP.values(), *BY_STRATEGY.values()):
        assert advice.settings or advice.sentence


def test_every_setting_that_is_named_exists() -> None:
    """Advice cannot name a setting that the application does not have."""
    known = {one.name for one in settings_of(AppSettings)}
    tables = (*BY_CODE.values(), *BY_CAP.values(), *BY_STRATEGY.values())
    named = {name for advice in tables for name in advice.settings}
    assert named - known == set()


def test_every_strategy_that_is_named_exists() -> None:
    """Strategies with advice of their own stand in the table of strategies."""
    assert {name for name, _ in BY_STRATEGY} <= {row.strategy for row in TABLE}


def test_a_strategys_own_advice_wins_over_the_general_one() -> None:
    """MomentumTrader's missing setup points to its threshold, another's to its card."""
    assert advise("momentum_trader", "NO_SETUP", "NO_SETUP").settings == (
        "STRATEGIES__MOMENTUM_TRADER__ENTER",
    )
    assert "card" in advise("enhanced_grid", "NO_SETUP", "NO_SETUP").sentence


def test_a_size_of_zero_is_explained_by_its_cap() -> None:
    """The layer `sizer.<cap>` decides which setting would have helped."""
    assert advise("x", "sizer.depth", "POSITION_SIZER_ZERO").settings == ("RISK__DEPTH_SHARE",)
    general = advise("x", "sizer.unheard_of", "POSITION_SIZER_ZERO")
    assert general.settings[0] == "INITIAL_CAPITAL"


def test_an_unknown_reason_is_said_to_be_unknown() -> None:
    """A run of a newer version is read without failing."""
    assert "does not know" in advise("x", "", "INVENTED").sentence


def _place(layer: str, number: float, limit: float) -> Place:
    off = abs(number - limit) / abs(limit)
    return Place(
        instrument="X", layer=layer, count=1, number=number, limit=limit, off=off, at="then"
    )


def test_a_setting_that_is_the_limit_would_have_had_to_be_the_nearest_number() -> None:
    """With 0.48 and 0.31 against a threshold of 0.5, 0.48 would have let one pass."""
    name = "STRATEGIES__MOMENTUM_TRADER__ENTER"
    misses = [_place("NO_SETUP", 0.31, 0.5), _place("NO_SETUP", 0.48, 0.5)]
    assert needed_values("NO_SETUP", misses, {name: "0.5"}) == {name: "0.48"}


def test_a_setting_that_is_not_the_limit_gets_no_number() -> None:
    """A limit made of several things is not blamed on one of them."""
    name = "STRATEGIES__MOMENTUM_TRADER__ENTER"
    assert needed_values("NO_SETUP", [_place("NO_SETUP", 0.31, 0.4)], {name: "0.5"}) == {}


def test_a_size_of_zero_is_bought_with_capital() -> None:
    """0.0004 affordable of 0.001 at 300 USDT needs 750; a depth cap is not bought at all."""
    held = {"INITIAL_CAPITAL": "300", "RISK_OF_BUDGET": "0.025"}
    small = _place("sizer.min_quantity", 0.0004, 0.001)
    assert needed_values("POSITION_SIZER_ZERO", [small], held) == {"INITIAL_CAPITAL": "750"}
    thin = _place("sizer.depth", 0.0004, 0.001)
    assert needed_values("POSITION_SIZER_ZERO", [thin], held) == {}
    nothing = _place("sizer.min_quantity", 0.0, 0.001)
    assert needed_values("POSITION_SIZER_ZERO", [nothing], held) == {}
