"""Why a signal or an evaluation did not become an order: one code, one sentence for people."""

from __future__ import annotations

from enum import StrEnum


class ReasonCode(StrEnum):
    """One reason of refusal; `sentence` explains it to a person."""

    sentence: str

    def __new__(cls, code: str, sentence: str) -> ReasonCode:
        member = str.__new__(cls, code)
        member._value_ = code
        member.sentence = sentence
        return member

    # a strategy's own layers, in their order
    WARMING_UP = "WARMING_UP", "The strategy or a feature it reads has not seen enough data yet."
    STALE = "STALE", "An input is older than the strategy accepts."
    BOOK_GAP = "BOOK_GAP", "The order book lost updates and is being rebuilt."
    FUNDING_STALE = (
        "FUNDING_STALE",
        "The funding rate or its next settlement time is missing or old.",
    )
    SESSION = "SESSION", "The strategy stays out at this time of the day or this near a settlement."
    REGIME = "REGIME", "The strategy does not open positions in the present regime."
    PHASE = "PHASE", "The strategy does not open positions in the present phase."
    COOLDOWN = "COOLDOWN", "The strategy waits between two attempts."
    DAILY_CAP = "DAILY_CAP", "The strategy has made its attempts for this UTC day."
    LOSS_PAUSE = "LOSS_PAUSE", "The strategy pauses after losses in a row."
    SIZE = "SIZE", "The move is too small for the strategy."
    VOLX = "VOLX", "Volatility has not expanded enough."
    LIQ = "LIQ", "The spread is too wide or the book too thin."
    PARTICIPATION = "PARTICIPATION", "Too few trades or too little volume stand behind the move."
    FLOW = "FLOW", "Order flow does not support the trade."
    HORIZONS = "HORIZONS", "Trends over other horizons disagree."
    EXHAUSTION = "EXHAUSTION", "The move has already gone too far."
    CONFIRM = "CONFIRM", "The move was not confirmed in time."
    TOXICITY = "TOXICITY", "Flow is too one-sided to quote into."
    INVENTORY = "INVENTORY", "The strategy holds as much as it may."
    ACCEPTED = "ACCEPTED", "Price was accepted beyond the level; there is nothing to fade."
    INELIGIBLE = "INELIGIBLE", "The pair or instrument does not qualify at its last examination."
    PLAN = "PLAN", "Stop and target of the planned trade do not fit each other."
    NO_SETUP = "NO_SETUP", "The entry condition is not met."
    # the gate
    INVALID_SIGNAL = "INVALID_SIGNAL", "The signal is malformed."
    SIGNAL_EXPIRED = "SIGNAL_EXPIRED", "The signal is older than its time to live."
    GROUP_INCOMPLETE = "GROUP_INCOMPLETE", "A leg of the group is missing or was refused."
    HANDLER_FAILED = (
        "HANDLER_FAILED",
        "A component failed on this signal and its retries are used up.",
    )
    STRATEGY_INACTIVE = "STRATEGY_INACTIVE", "AutoPilot has not made the strategy active."
    KILL_SWITCH = "KILL_SWITCH", "The kill switch is latched; only the operator re-arms it."
    ENTRIES_HALTED = "ENTRIES_HALTED", "New entries are halted until books and venue agree."
    ENVELOPE_STALE = "ENVELOPE_STALE", "The risk envelope rests on numbers that are too old."
    RISK_STATE = "RISK_STATE", "The drawdown state allows no such entry."
    DAILY_LOSS = "DAILY_LOSS", "The day's loss limit is reached; entries resume at 00:00 UTC."
    STRATEGY_BLOCKED = "STRATEGY_BLOCKED", "The strategy is blocked for a time after a loss streak."
    INSTRUMENT_BLOCKED = (
        "INSTRUMENT_BLOCKED",
        "The instrument is blocked for a time after a price anomaly.",
    )
    EDGE = "EDGE", "The expected move does not pay the costs."
    NO_REBATE = "NO_REBATE", "The plan lives on a maker rebate that this account does not get."
    EDGE_UNPROVEN = (
        "EDGE_UNPROVEN",
        "The strategy has not proven its edge here; it is followed in the shadow book.",
    )
    NO_STOP = "NO_STOP", "The signal has no usable protective stop."
    POSITION_SIZER_ZERO = (
        "POSITION_SIZER_ZERO",
        "The affordable size is below the smallest tradable one.",
    )
    POSITION_EXISTS = (
        "POSITION_EXISTS",
        "The strategy already holds or works a position on this instrument.",
    )
    CONFLICT = "CONFLICT", "Another strategy has just entered the opposite side."
    NO_BORROW = "NO_BORROW", "Spot of this coin cannot be borrowed to sell short."
    MAX_ORDERS = "MAX_ORDERS", "As many orders are at work as the limit allows."
    REWARD_RISK = "REWARD_RISK", "The first target is too near for the stop."
    MAX_POSITIONS = "MAX_POSITIONS", "All position slots are taken."
    SLOT_FAIRNESS = "SLOT_FAIRNESS", "The last free slots are kept for slower strategies."
