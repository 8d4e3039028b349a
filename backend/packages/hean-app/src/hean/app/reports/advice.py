"""What would change a refusal: for each reason the settings that decide it, or who else does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

import msgspec

from hean.core.events import ReasonCode


class Miss(Protocol):
    """A refusal whose number can be held against its limit."""

    @property
    def layer(self) -> str:
        """The layer that refused."""
        ...

    @property
    def number(self) -> float:
        """What there was."""
        ...

    @property
    def limit(self) -> float:
        """What was asked for."""
        ...

    @property
    def off(self) -> float | None:
        """How far the number was off, or None where no number decides."""
        ...


class Advice(msgspec.Struct, frozen=True):
    """The settings that move the limit, the likeliest first, and a sentence where none does."""

    settings: tuple[str, ...] = ()
    sentence: str = ""


def _names(*names: str) -> Advice:
    return Advice(names)


def _said(sentence: str, *names: str) -> Advice:
    return Advice(names, sentence)


_CARD: Final = "fixed by the strategy's card, not a setting"
_DATA: Final = "the data decides: a feed with fresher or fuller data would pass"

BY_CODE: Final[Mapping[ReasonCode, Advice]] = {
    ReasonCode.WARMING_UP: _said(
        "it passes with more data before it", "SIM__HISTORY_DAYS", "SIM__HISTORY_TICK_HOURS"
    ),
    ReasonCode.STALE: _said(_DATA),
    ReasonCode.BOOK_GAP: _said(_DATA),
    ReasonCode.FUNDING_STALE: _said(_DATA),
    ReasonCode.SESSION: _said(_CARD),
    ReasonCode.REGIME: _said(_CARD),
    ReasonCode.PHASE: _said(_CARD),
    ReasonCode.COOLDOWN: _said(_CARD),
    ReasonCode.DAILY_CAP: _said(_CARD),
    ReasonCode.LOSS_PAUSE: _said(_CARD),
    ReasonCode.SIZE: _said(_CARD),
    ReasonCode.VOLX: _said(_CARD),
    ReasonCode.LIQ: _said("the market decides: spread and depth at that moment"),
    ReasonCode.PARTICIPATION: _said(_CARD),
    ReasonCode.FLOW: _said(_CARD),
    ReasonCode.HORIZONS: _said(_CARD),
    ReasonCode.EXHAUSTION: _said(_CARD),
    ReasonCode.CONFIRM: _said(_CARD),
    ReasonCode.TOXICITY: _said(_CARD),
    ReasonCode.INVENTORY: _said(_CARD),
    ReasonCode.ACCEPTED: _said("the market decides: the level was accepted, not swept"),
    ReasonCode.INELIGIBLE: _said("the market decides: the next examination may qualify it"),
    ReasonCode.PLAN: _said("the fees and the spread decide: stop and target must pay them"),
    ReasonCode.NO_SETUP: _said(_CARD),
    ReasonCode.INVALID_SIGNAL: _said("a mistake in the strategy; no setting should hide it"),
    ReasonCode.SIGNAL_EXPIRED: _said("the signal's own time to live had passed"),
    ReasonCode.GROUP_INCOMPLETE: _said("another leg was refused; see that leg's reason"),
    ReasonCode.HANDLER_FAILED: _said(
        "a failure, kept in the journal for a person", "DLQ_MAX_RETRIES"
    ),
    ReasonCode.STRATEGY_INACTIVE: _names(
        "PORTFOLIO__AUTOPILOT_MAX_ACTIVE", "PORTFOLIO__AUTOPILOT_ENABLED", "INITIAL_CAPITAL"
    ),
    ReasonCode.KILL_SWITCH: _said(
        "only the operator re-arms it", "RISK__KILL_TOTAL_LOSS", "RISK__KILL_DAY_LOSS"
    ),
    ReasonCode.ENTRIES_HALTED: _said(
        "it ends when books and venue agree", "PORTFOLIO__WALLET_TOLERANCE"
    ),
    ReasonCode.ENVELOPE_STALE: _names("RISK__RISK_ENVELOPE_MAX_AGE_MS"),
    ReasonCode.RISK_STATE: _names(
        "RISK__SOFT_BRAKE_ENTER", "RISK__QUARANTINE_ENTER", "RISK__HARD_STOP_ENTER"
    ),
    ReasonCode.DAILY_LOSS: _names("RISK__MAX_DAILY_LOSS"),
    ReasonCode.STRATEGY_BLOCKED: _names(
        "RISK__CUSUM_H", "RISK__CUSUM_BLOCK_HOURS", "RISK__LOSS_STREAK_ENABLED"
    ),
    ReasonCode.INSTRUMENT_BLOCKED: _names(
        "RISK__ANOMALY_JUMP", "RISK__ANOMALY_Z", "RISK__ANOMALY_JUMP_BLOCK_SECONDS"
    ),
    ReasonCode.EDGE: _said("the fees and the spread decide; no setting makes the market cheaper"),
    ReasonCode.NO_REBATE: _said("the account's fee tier decides"),
    ReasonCode.EDGE_UNPROVEN: _names("EDGE_GUARD"),
    ReasonCode.NO_STOP: _said("the strategy must give a usable stop"),
    ReasonCode.POSITION_SIZER_ZERO: _names(
        "INITIAL_CAPITAL", "RISK_OF_BUDGET", "MAX_STRATEGY_WEIGHT"
    ),
    ReasonCode.POSITION_EXISTS: _said("one position for each strategy and instrument, by design"),
    ReasonCode.CONFLICT: _said("it ends when the other strategy's entry is older"),
    ReasonCode.NO_BORROW: _said("the venue decides: this coin cannot be borrowed there"),
    ReasonCode.MAX_ORDERS: _names("RISK__MAX_ORDERS"),
    ReasonCode.REWARD_RISK: _names("RISK__MIN_REWARD_RISK"),
    ReasonCode.MAX_POSITIONS: _names("RISK__MAX_POSITIONS"),
    ReasonCode.SLOT_FAIRNESS: _names("RISK__MAX_POSITIONS"),
}
"""Advice for each code where neither strategy nor cap says more."""

BY_CAP: Final[Mapping[str, Advice]] = {
    "equity": _names("INITIAL_CAPITAL"),
    "budget": _names("INITIAL_CAPITAL", "MAX_STRATEGY_WEIGHT", "PORTFOLIO__AUTOPILOT_MAX_ACTIVE"),
    "min_quantity": _names("INITIAL_CAPITAL", "RISK_OF_BUDGET", "MAX_STRATEGY_WEIGHT"),
    "min_notional": _names("INITIAL_CAPITAL", "RISK_OF_BUDGET", "MAX_STRATEGY_WEIGHT"),
    "trade_risk": _names("INITIAL_CAPITAL", "TRIAL_TRADE_RISK", "MAX_TRADE_RISK"),
    "strategy_risk": _names("RISK_OF_BUDGET", "INITIAL_CAPITAL"),
    "open_risk": _names("RISK__MAX_OPEN_RISK", "INITIAL_CAPITAL"),
    "cluster_risk": _names("RISK__CLUSTER_RISK_SHARE", "RISK__CARRY_RISK_SHARE"),
    "gross": _names("RISK__MAX_GROSS", "INITIAL_CAPITAL"),
    "instrument": _names("RISK__MAX_INSTRUMENT", "INITIAL_CAPITAL"),
    "margin": _names("RISK__MARGIN_SHARE", "MAX_LEVERAGE", "INITIAL_CAPITAL"),
    "depth": _names("RISK__DEPTH_SHARE"),
    "stress": _names("RISK__STRESS_CUSHION", "INITIAL_CAPITAL"),
    "cvar": _names("RISK__CVAR_CUSHION", "INITIAL_CAPITAL"),
    "kelly": _names("RISK__KELLY_ENABLED", "RISK__KELLY_FRACTION"),
    "regime": _names(
        "RISK__REGIME_SIZE_RANGE", "RISK__REGIME_SIZE_NORMAL", "RISK__REGIME_SIZE_IMPULSE"
    ),
    "drawdown": _names("RISK__DRAWDOWN_FLOOR"),
    "group": _names("INITIAL_CAPITAL", "RISK_OF_BUDGET"),
    "venue_max": _said("the venue's largest order decides"),
    "liquidation": _names("MAX_LEVERAGE", "INITIAL_CAPITAL"),
    "confidence": _said("the signal's own confidence was zero"),
    "scale": _said("the signal asked for size zero"),
}
"""Advice for each cap of the sizer, by the name behind `sizer.`."""

BY_STRATEGY: Final[Mapping[tuple[str, ReasonCode], Advice]] = {
    ("hf_scalping", ReasonCode.TOXICITY): _names("STRATEGIES__HF_SCALPING__VPIN_LIMIT"),
    ("hf_scalping", ReasonCode.LIQ): _said(
        "the market decides: spread and depth at that moment",
        "STRATEGIES__HF_SCALPING__SPREAD_LIMIT",
    ),
    ("inventory_neutral_mm", ReasonCode.INVENTORY): _names(
        "STRATEGIES__INVENTORY_NEUTRAL_MM__INVENTORY_CLIPS"
    ),
    ("impulse_engine", ReasonCode.SIZE): _names(
        "STRATEGIES__IMPULSE_ENGINE__SIZE_Z", "STRATEGIES__IMPULSE_ENGINE__LEAST_MOVE_BP"
    ),
    ("impulse_engine", ReasonCode.VOLX): _names("STRATEGIES__IMPULSE_ENGINE__VOLATILITY_EXPANSION"),
    ("impulse_engine", ReasonCode.FLOW): _names("STRATEGIES__IMPULSE_ENGINE__FLOW"),
    ("liquidity_sweep", ReasonCode.LIQ): _said(
        "the market decides: spread and depth at that moment",
        "STRATEGIES__LIQUIDITY_SWEEP__WIDE_SPREAD",
    ),
    ("liquidity_sweep", ReasonCode.PARTICIPATION): _names(
        "STRATEGIES__LIQUIDITY_SWEEP__VOLUME_BURST"
    ),
    ("enhanced_grid", ReasonCode.INELIGIBLE): _said(
        "the market decides: it must revert, within its half-life",
        "STRATEGIES__ENHANCED_GRID__VARIANCE_RATIO",
    ),
    ("basis_arbitrage", ReasonCode.NO_SETUP): _names("STRATEGIES__BASIS_ARBITRAGE__ENTER_SD"),
    ("basis_arbitrage", ReasonCode.INELIGIBLE): _names(
        "STRATEGIES__BASIS_ARBITRAGE__COMPOSITION_BP"
    ),
    ("basis_arbitrage", ReasonCode.EDGE): _said(
        "the gap must pay the costs of all legs", "STRATEGIES__BASIS_ARBITRAGE__MINIMUM_PROFIT_BP"
    ),
    ("correlation_arb", ReasonCode.NO_SETUP): _names("STRATEGIES__CORRELATION_ARB__ENTER_Z"),
    ("correlation_arb", ReasonCode.INELIGIBLE): _said(
        "the market decides: the pair must be cointegrated now",
        "STRATEGIES__CORRELATION_ARB__TEST_LIMIT",
        "STRATEGIES__CORRELATION_ARB__MINIMUM_CORRELATION",
        "STRATEGIES__CORRELATION_ARB__BETA_DRIFT",
    ),
    ("sentiment_strategy", ReasonCode.NO_SETUP): _names(
        "STRATEGIES__SENTIMENT_STRATEGY__FEAR", "STRATEGIES__SENTIMENT_STRATEGY__GREED"
    ),
    ("sentiment_strategy", ReasonCode.SIZE): _names("STRATEGIES__SENTIMENT_STRATEGY__SCORE"),
    ("sentiment_strategy", ReasonCode.PARTICIPATION): _names(
        "STRATEGIES__SENTIMENT_STRATEGY__MINIMUM_READINGS",
        "STRATEGIES__SENTIMENT_STRATEGY__MINIMUM_CONFIDENCE",
    ),
    ("momentum_trader", ReasonCode.NO_SETUP): _names("STRATEGIES__MOMENTUM_TRADER__ENTER"),
    ("momentum_trader", ReasonCode.WARMING_UP): _said(
        "it passes with more data before it",
        "STRATEGIES__MOMENTUM_TRADER__LONG_HOURS",
        "SIM__HISTORY_DAYS",
    ),
    ("funding_harvester", ReasonCode.EDGE): _said(
        "the funding rate must pay the costs of all legs",
        "STRATEGIES__FUNDING_HARVESTER__MINIMUM_CARRY_BP",
        "STRATEGIES__FUNDING_HARVESTER__MINIMUM_RATE_BP",
        "STRATEGIES__FUNDING_HARVESTER__HORIZON",
    ),
    ("funding_harvester", ReasonCode.FUNDING_STALE): _said(
        _DATA, "STRATEGIES__FUNDING_HARVESTER__DISAGREEMENT_BP"
    ),
    ("funding_harvester", ReasonCode.INVENTORY): _names(
        "STRATEGIES__FUNDING_HARVESTER__CONCURRENT"
    ),
}
"""Advice where a strategy's own tunable decides."""


def advise(strategy: str, layer: str, code: str) -> Advice:
    """Return what would change a refusal; a strategy's own advice first, then a sizer's cap."""
    try:
        known = ReasonCode(code)
    except ValueError:
        return Advice((), "this version does not know the reason")
    own = BY_STRATEGY.get((strategy, known))
    if own is not None:
        return own
    cap = layer.lower().removeprefix("sizer.")
    if known is ReasonCode.POSITION_SIZER_ZERO and cap in BY_CAP:
        return BY_CAP[cap]
    return BY_CODE[known]


_SCALED_BY_CAPITAL: Final = frozenset(
    name for name, advice in BY_CAP.items() if "INITIAL_CAPITAL" in advice.settings
)


def needed_values(code: str, misses: Iterable[Miss], settings: Mapping[str, str]) -> dict[str, str]:
    """Return the values with which the nearest miss would have passed, where they are known.

    A setting that *is* the limit would have had to be the number. A size of zero is bought with
    capital, since every cap of the sizer that names it is a share of equity: a multiple of it.
    """
    found: dict[str, tuple[float, str]] = {}
    for miss in misses:
        if miss.off is None:
            continue
        for name, text in settings.items():
            value = _needed(code, miss, name, text)
            if value is not None and miss.off < found.get(name, (float("inf"), ""))[0]:
                found[name] = miss.off, f"{value:.6g}"
    return {name: text for name, (_, text) in found.items()}


def _needed(code: str, miss: Miss, name: str, text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    if code == ReasonCode.POSITION_SIZER_ZERO.value:
        scaled = miss.layer.lower().removeprefix("sizer.") in _SCALED_BY_CAPITAL
        known = name == "INITIAL_CAPITAL" and scaled and miss.number > 0.0
        return value * miss.limit / miss.number if known else None
    return miss.number if value == miss.limit else None
