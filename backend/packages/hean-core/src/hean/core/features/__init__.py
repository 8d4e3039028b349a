"""Shared market features: the same bits live and in batch.

The batch forms (`batch`, `columns`, `frame_batch`) are not imported here: they need numpy.
"""

from __future__ import annotations

from hean.core.features.bars import (
    AverageTrueRange,
    Donchian,
    MinuteBars,
    QuarterBars,
    TradeBars,
    WholeBar,
)
from hean.core.features.book import (
    NO_CORRECTION,
    MicroPriceTable,
    micro_price,
    weighted_mid,
)
from hean.core.features.carry import Basis, FundingNowCast, impact_price, premium
from hean.core.features.exact import (
    Ewma,
    HourlyHistogram,
    HourOfWeekHistogram,
    RollingMaximum,
    RollingSum,
    WeightedMean,
    decay,
    quantised_log,
)
from hean.core.features.flow import Slope
from hean.core.features.frame import FrameBuilder, FrameRow
from hean.core.features.frame_features import FeatureSet
from hean.core.features.pairs import PairFit, PairWindow, log_steps
from hean.core.features.phase import CycleMachine, PhaseMachine
from hean.core.features.pipeline import FeaturePipeline
from hean.core.features.regime import RegimeInputs, RegimeMachine

__all__ = [
    "NO_CORRECTION",
    "AverageTrueRange",
    "Basis",
    "CycleMachine",
    "Donchian",
    "Ewma",
    "FeaturePipeline",
    "FeatureSet",
    "FrameBuilder",
    "FrameRow",
    "FundingNowCast",
    "HourOfWeekHistogram",
    "HourlyHistogram",
    "MicroPriceTable",
    "MinuteBars",
    "PairFit",
    "PairWindow",
    "PhaseMachine",
    "QuarterBars",
    "RegimeInputs",
    "RegimeMachine",
    "RollingMaximum",
    "RollingSum",
    "Slope",
    "TradeBars",
    "WeightedMean",
    "WholeBar",
    "decay",
    "impact_price",
    "log_steps",
    "micro_price",
    "premium",
    "quantised_log",
    "weighted_mid",
]
