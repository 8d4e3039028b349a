"""The machine-checkable table of the eleven strategies, as data.

It drives the bounds of tunables, the regime matrix, the universe and the documentation. Thresholds
are starting values; none is fitted to data.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from pydantic import Field

from hean.core.events import Affinity, FrequencyClass, Need, OrderStyle, Regime

_P, _K = OrderStyle.POST_ONLY, OrderStyle.LIMIT_IOC
_RANGE, _NORMAL, _IMPULSE = Regime.RANGE, Regime.NORMAL, Regime.IMPULSE
_Q, _T, _D, _F = Need.QUOTES, Need.TRADES, Need.DEPTH, Need.FUNDING
_I, _S, _X, _N, _B = Need.INDEX, Need.SPOT, Need.LIQUIDATIONS, Need.SENTIMENT, Need.BARS
_MAJORS = ("BTC", "ETH", "SOL", "BNB", "XRP")
ACCOUNT: Final = (*_MAJORS, "ADA", "DOGE", "AVAX", "LINK", "TON")
"""The coins of the account's default universe."""


class Tunable(msgspec.Struct, frozen=True, gc=False):
    """A parameter that may be searched, with its bounds."""

    name: str
    low: float
    high: float


class SpecRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One strategy's row: what it needs, when it may open, how often, and how.

    `max_bar_interval_seconds` is 0 where it cannot run on bars alone; `spared_on_bars` are needs it
    can do without there. `capped_per_symbol` says that `daily_cap` counts each instrument for
    itself. `place` is where we expect it at entry-tier fees. `claims_edge` says that a signal's
    expected edge is a forecast, which the guard holds against its cost; `walk_forward_days`, how
    long a walk-forward must have borne it out before it may probe.
    """

    strategy: str
    frequency: FrequencyClass
    needs: tuple[Need, ...]
    optional_needs: tuple[Need, ...] = ()
    regimes: tuple[Regime, ...]
    cooldown_seconds: float
    daily_cap: int
    capped_per_symbol: bool = False
    time_stop_seconds: float
    styles: tuple[OrderStyle, ...]
    grouped: bool = False
    legs: int = 1
    tunables: tuple[Tunable, ...] = ()
    place: str = "SHADOW"
    max_bar_interval_seconds: int = 0
    spared_on_bars: tuple[Need, ...] = ()
    universe: tuple[str, ...]
    typical_stop_bp: float
    cluster: str = ""
    directional: bool = False
    claims_edge: bool = False
    carry: bool = False
    needs_rebate: bool = False
    market_neutral: bool = False
    affinity: Affinity = Affinity()
    walk_forward_days: int = 0
    version: str = "1"

    @property
    def runs_on_bars(self) -> bool:
        return self.max_bar_interval_seconds > 0

    def bounds(self, name: str) -> tuple[float, float]:
        """Return the bounds of a tunable; raises `KeyError` for a name the row lacks."""
        for one in self.tunables:
            if one.name == name:
                return one.low, one.high
        raise KeyError(f"{self.strategy} has no tunable {name}")


def tunable(row: SpecRow, name: str, default: float) -> Any:  # noqa: ANN401 (pydantic types it so)
    """Return a settings field with the default and the row's bounds."""
    low, high = row.bounds(name)
    return Field(default, ge=low, le=high)


def _favour(*favoured: str, avoided: tuple[str, ...] = ()) -> Affinity:
    return Affinity(favoured=favoured, avoided=avoided)


HF_SCALPING: Final = SpecRow(
    strategy="hf_scalping",
    frequency=FrequencyClass.HIGH,
    needs=(_Q, _T, _D),
    optional_needs=(_F,),
    regimes=(_RANGE, _NORMAL),
    cooldown_seconds=30,
    daily_cap=200,
    time_stop_seconds=60,
    styles=(_P, _K),
    tunables=(
        Tunable("ofi_half_life", 1, 10),
        Tunable("entry_noise", 1, 3),
        Tunable("ttl_seconds", 1, 10),
        Tunable("vpin_limit", 0.5, 0.9),
    ),
    universe=("BTC", "ETH", "SOL", "BNB"),
    typical_stop_bp=25,
    cluster="spread_capture",
    directional=True,
    claims_edge=True,
    affinity=_favour("ice", "water"),
)
INVENTORY_NEUTRAL_MM: Final = SpecRow(
    strategy="inventory_neutral_mm",
    frequency=FrequencyClass.HIGH,
    needs=(_Q, _T, _D),
    optional_needs=(_F,),
    regimes=(_RANGE, _NORMAL),
    cooldown_seconds=30,
    daily_cap=200,
    time_stop_seconds=600,
    styles=(_P,),
    grouped=True,
    legs=2,
    tunables=(
        Tunable("gamma", 1e-3, 1),
        Tunable("inventory_clips", 2, 6),
        Tunable("ofi_z", 0.5, 2),
        Tunable("half_max_bp", 8, 25),
    ),
    place="SHADOW, promoted per symbol",
    universe=("BTC", "ETH"),
    typical_stop_bp=50,
    cluster="spread_capture",
    market_neutral=True,
    affinity=_favour("ice", "water", avoided=("vapor",)),
)
REBATE_FARMER: Final = SpecRow(
    strategy="rebate_farmer",
    frequency=FrequencyClass.HIGH,
    needs=(_Q, _T, _D),
    optional_needs=(_X, _F),
    regimes=(_RANGE, _NORMAL),
    cooldown_seconds=900,
    daily_cap=200,
    time_stop_seconds=900,
    styles=(_P,),
    grouped=True,
    legs=2,
    tunables=(Tunable("offset_bp", 50, 150), Tunable("retrace", 0.5, 0.9)),
    place="OFF",
    universe=("BTC", "ETH"),
    typical_stop_bp=75,
    needs_rebate=True,
    affinity=_favour("ice", "water"),
)
IMPULSE_ENGINE: Final = SpecRow(
    strategy="impulse_engine",
    frequency=FrequencyClass.MEDIUM,
    needs=(_Q, _T, _D),
    optional_needs=(_X, _F),
    regimes=(_IMPULSE, _NORMAL),
    cooldown_seconds=120,
    daily_cap=120,
    time_stop_seconds=300,
    styles=(_K, _P),
    tunables=(
        Tunable("size_z", 3, 6),
        Tunable("volatility_expansion", 1.2, 2.5),
        Tunable("flow", 0.5, 2),
        Tunable("stop_atr", 1, 3),
        Tunable("trail_atr", 1.5, 4),
    ),
    place="SHADOW to PROBE",
    universe=("BTC", "ETH"),
    typical_stop_bp=30,
    cluster="trend",
    directional=True,
    affinity=_favour("IMPULSE", "water_bull", "water_bear", "markup", "markdown", avoided=("ice",)),
)
LIQUIDITY_SWEEP: Final = SpecRow(
    strategy="liquidity_sweep",
    frequency=FrequencyClass.MEDIUM,
    needs=(_Q, _T, _D),
    optional_needs=(_X,),
    regimes=(_NORMAL, _IMPULSE),
    cooldown_seconds=900,
    daily_cap=100,
    time_stop_seconds=900,
    styles=(_K, _P),
    tunables=(
        Tunable("penetration_atr", 0.3, 2.5),
        Tunable("reclaim_atr", 0.1, 0.6),
        Tunable("window_seconds", 20, 120),
        Tunable("volume_burst", 1.5, 4),
    ),
    universe=ACCOUNT,
    typical_stop_bp=20,
    directional=True,
    affinity=_favour("NORMAL", "IMPULSE"),
)
MOMENTUM_TRADER: Final = SpecRow(
    strategy="momentum_trader",
    frequency=FrequencyClass.MEDIUM,
    needs=(_Q, _B),
    optional_needs=(_F, _N),
    regimes=(_NORMAL, _IMPULSE),
    cooldown_seconds=1800,
    daily_cap=8,
    capped_per_symbol=True,
    time_stop_seconds=432_000,
    styles=(_P, _K),
    tunables=(
        Tunable("short_hours", 1, 12),
        Tunable("middle_hours", 12, 48),
        Tunable("long_hours", 48, 240),
        Tunable("enter", 0.3, 0.8),
        Tunable("trail_atr", 2, 5),
    ),
    place="PROBE after a bar backtest",
    max_bar_interval_seconds=900,
    universe=ACCOUNT,
    typical_stop_bp=150,
    cluster="trend",
    directional=True,
    walk_forward_days=730,
    affinity=_favour("markup", "markdown", "water_bull", "water_bear"),
)
ENHANCED_GRID: Final = SpecRow(
    strategy="enhanced_grid",
    frequency=FrequencyClass.MEDIUM,
    needs=(_Q, _T, _B),
    regimes=(_RANGE,),
    cooldown_seconds=1800,
    daily_cap=150,
    time_stop_seconds=14_400,
    styles=(_P,),
    grouped=True,
    legs=6,
    tunables=(
        Tunable("step_bp", 10, 40),
        Tunable("rungs", 3, 8),
        Tunable("variance_ratio", 0.6, 0.95),
    ),
    universe=("BTC", "ETH", "SOL", "BNB"),
    typical_stop_bp=72,
    affinity=_favour("ice", "RANGE", avoided=("vapor",)),
)
FUNDING_HARVESTER: Final = SpecRow(
    strategy="funding_harvester",
    frequency=FrequencyClass.LOW,
    needs=(_Q, _F, _I),
    optional_needs=(_S, _D, _X),
    regimes=(_RANGE, _NORMAL, _IMPULSE),
    cooldown_seconds=28_800,
    daily_cap=6,
    time_stop_seconds=604_800,
    styles=(_P, _K),
    grouped=True,
    legs=2,
    tunables=(
        Tunable("minimum_rate_bp", 2, 15),
        Tunable("horizon", 1, 21),
        Tunable("fixed_share", 0.5, 0.9),
    ),
    place="PROBE hedged, SHADOW unhedged",
    max_bar_interval_seconds=3600,
    spared_on_bars=(_I,),
    universe=("BTC", "ETH"),
    typical_stop_bp=55,
    cluster="carry",
    carry=True,
    market_neutral=True,
    affinity=_favour("ice", "accumulation"),
)
BASIS_ARBITRAGE: Final = SpecRow(
    strategy="basis_arbitrage",
    frequency=FrequencyClass.LOW,
    needs=(_Q, _I),
    optional_needs=(_S, _F),
    regimes=(_RANGE, _NORMAL),
    cooldown_seconds=7200,
    daily_cap=4,
    time_stop_seconds=86_400,
    styles=(_P, _K),
    grouped=True,
    legs=2,
    tunables=(Tunable("enter_sd", 2, 4), Tunable("exit_sd", 0.2, 0.8)),
    place="PROBE with a spot leg",
    max_bar_interval_seconds=300,
    universe=("BTC", "ETH"),
    typical_stop_bp=50,
    cluster="carry",
    carry=True,
    market_neutral=True,
    affinity=_favour("ice", "accumulation", avoided=("vapor",)),
)
CORRELATION_ARB: Final = SpecRow(
    strategy="correlation_arb",
    frequency=FrequencyClass.LOW,
    needs=(_Q, _B),
    optional_needs=(_F,),
    regimes=(_RANGE, _NORMAL),
    cooldown_seconds=1800,
    daily_cap=6,
    time_stop_seconds=43_200,
    styles=(_P, _K),
    grouped=True,
    legs=2,
    tunables=(
        Tunable("enter_z", 1.5, 3),
        Tunable("exit_z", 0, 0.8),
        Tunable("test_limit", -4, -3),
        Tunable("window_days", 0.5, 5),
    ),
    place="SHADOW to PROBE",
    max_bar_interval_seconds=300,
    universe=_MAJORS,
    typical_stop_bp=60,
    market_neutral=True,
    affinity=_favour(avoided=("vapor",)),
)
SENTIMENT_STRATEGY: Final = SpecRow(
    strategy="sentiment_strategy",
    frequency=FrequencyClass.LOW,
    needs=(_Q, _B, _N),
    regimes=(_RANGE, _NORMAL, _IMPULSE),
    cooldown_seconds=1800,
    daily_cap=5,
    time_stop_seconds=1_209_600,
    styles=(_P,),
    tunables=(
        Tunable("score", 0.4, 0.8),
        Tunable("fear", 10, 25),
        Tunable("greed", 75, 90),
    ),
    max_bar_interval_seconds=3600,
    universe=("BTC", "ETH"),
    typical_stop_bp=300,
    directional=True,
)
TABLE: Final = (
    HF_SCALPING,
    INVENTORY_NEUTRAL_MM,
    REBATE_FARMER,
    IMPULSE_ENGINE,
    LIQUIDITY_SWEEP,
    MOMENTUM_TRADER,
    ENHANCED_GRID,
    FUNDING_HARVESTER,
    BASIS_ARBITRAGE,
    CORRELATION_ARB,
    SENTIMENT_STRATEGY,
)
"""All eleven rows, fastest first."""
