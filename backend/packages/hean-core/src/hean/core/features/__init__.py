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
    MicroPriceTable,
    micro_lean_bp,
    micro_price,
    weighted_mid,
)
from hean.core.features.carry import Basis, FundingNowCast, impact_price, premium
from hean.core.features.covariation import Covariation
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
from hean.core.features.pairs import PairFit, PairTotals, PairWindow, log_steps
from hean.core.features.phase import CycleMachine, PhaseMachine
from hean.core.features.pipeline import FeaturePipeline
from hean.core.features.regime import RegimeInputs, RegimeMachine
from hean.core.features.tables import (
    NO_TABLES,
    FeatureTables,
    InstrumentTables,
    LoadedTables,
    decode_tables,
    encode_tables,
)
from hean.core.features.touches import LevelMoments, TouchChain, TouchCounts

__all__ = [
    "NO_TABLES",
    "AverageTrueRange",
    "Basis",
    "Covariation",
    "CycleMachine",
    "Donchian",
    "Ewma",
    "FeaturePipeline",
    "FeatureSet",
    "FeatureTables",
    "FrameBuilder",
    "FrameRow",
    "FundingNowCast",
    "HourOfWeekHistogram",
    "HourlyHistogram",
    "InstrumentTables",
    "LevelMoments",
    "LoadedTables",
    "MicroPriceTable",
    "MinuteBars",
    "PairFit",
    "PairTotals",
    "PairWindow",
    "PhaseMachine",
    "QuarterBars",
    "RegimeInputs",
    "RegimeMachine",
    "RollingMaximum",
    "RollingSum",
    "Slope",
    "TouchChain",
    "TouchCounts",
    "TradeBars",
    "WeightedMean",
    "WholeBar",
    "decay",
    "decode_tables",
    "encode_tables",
    "impact_price",
    "log_steps",
    "micro_lean_bp",
    "micro_price",
    "premium",
    "quantised_log",
    "weighted_mid",
]
