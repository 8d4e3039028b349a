"""All features of one instrument: a row in, `FrameFeatures` and the inputs of the slow axes out."""

from __future__ import annotations

import msgspec

from hean.core.events.market import FrameFeatures, Regime
from hean.core.features.bars import AverageTrueRange
from hean.core.features.book import MicroPriceTable, Spread, micro_lean_bp
from hean.core.features.carry import Basis, FundingNowCast
from hean.core.features.exact import NAN
from hean.core.features.flow import Disorder, Flow, Slope, Slopes, Toxicity
from hean.core.features.frame import FrameRow
from hean.core.features.phase import PhaseInputs
from hean.core.features.regime import RegimeInputs
from hean.core.features.trend import RANGE_WINDOW, REVERSION_STEP, Reversion, Trend
from hean.core.features.volatility import Volatility


class FeatureSet(msgspec.Struct):
    """The live state of every feature of one instrument; `tick` is its tick size for prices.

    `table` is the micro-price table of this start, None where none is fitted.
    """

    tick: float
    volatility: Volatility
    trend: Trend
    reversion: Reversion
    spread: Spread
    flow: Flow
    slopes: Slopes
    response: Slope
    toxicity: Toxicity
    disorder: Disorder
    range: AverageTrueRange
    funding: FundingNowCast
    basis: Basis
    table: MicroPriceTable | None = None
    micro_bp: float = NAN

    @classmethod
    def of(cls, tick: float) -> FeatureSet:
        return cls(
            tick,
            Volatility.of(),
            Trend.of(),
            Reversion.of(),
            Spread.of(),
            Flow.of(),
            Slopes.of(),
            Slope.of(0),
            Toxicity.of(),
            Disorder.of(),
            AverageTrueRange(),
            FundingNowCast.of(),
            Basis.of(),
        )

    def update(self, row: FrameRow) -> None:
        """Take a closed second."""
        second, change = row.second, row.return_e9
        self.volatility.update(second, change)
        trend = self.trend
        trend.update(change)
        if second % REVERSION_STEP == REVERSION_STEP - 1:
            self.reversion.update(trend.path)
        bid, ask = row.bid, row.ask
        self.spread.update(second, bid, ask)
        if self.table is not None:
            sold = row.top_lots - row.bid_lots
            self.micro_bp = micro_lean_bp(bid, ask, row.bid_lots, sold, self.table)
        flow = self.flow
        flow.update(row)
        self.slopes.update(flow.imbalance(5), trend.returns)
        newest = flow.imbalance(1)
        if newest == newest:
            self.response.update(newest, change)
        self.toxicity.update(second, row.buy_lots, row.sell_lots)
        self.disorder.update(second, row.buy_lots + row.sell_lots, change)
        self.basis.update((second + 1) * 1_000_000_000)

    def regime_inputs(self) -> RegimeInputs:
        """Return what the regime is decided on, after `update`."""
        volatility, trend = self.volatility, self.trend
        slow = volatility.slow
        return RegimeInputs(
            trend.impulse(slow),
            volatility.fast / slow if slow > 0.0 else slow,
            trend.range_ratio(),
            trend.variance_ratio(),
            trend.zeta(RANGE_WINDOW),
        )

    def phase_inputs(self, zeta: float, regime: Regime) -> PhaseInputs:
        """Return what the phase is decided on, after `update`."""
        volatility = self.volatility
        return PhaseInputs(
            volatility.percentile, volatility.jump_share, zeta, self.spread.score(), regime
        )

    def read(self, inputs: RegimeInputs) -> FrameFeatures:
        """Return every feature as of the newest row, NaN where one is not ready."""
        volatility, trend, flow, spread = self.volatility, self.trend, self.flow, self.spread
        five, fifteen, thirty = self.slopes.slopes
        basis, tick = self.basis, self.tick
        known = basis.now == basis.now
        return FrameFeatures(
            z_30=inputs.impulse,
            sigma_fast=volatility.fast,
            sigma_slow=volatility.slow,
            sigma_percentile=volatility.percentile,
            jump_share=volatility.jump_share,
            zeta_60=trend.zeta(60),
            zeta_300=trend.zeta(300),
            zeta_900=trend.zeta(900),
            zeta_3600=inputs.zeta,
            zeta_14400=trend.zeta(14400),
            range_ratio=inputs.range_ratio,
            variance_ratio=inputs.variance_ratio,
            spread_bp=spread.now,
            spread_mean_bp=spread.mean.read(),
            spread_percentile=spread.percentile,
            micro_bp=self.micro_bp,
            ofi_1=flow.imbalance(1),
            ofi_5=flow.imbalance(5),
            ofi_10=flow.imbalance(10),
            ofi_30=flow.imbalance(30),
            ofi_levels_10=flow.level_imbalance(),
            trade_imbalance_10=flow.trade_imbalance(10),
            trade_imbalance_30=flow.trade_imbalance(30),
            cvd=float(flow.cvd),
            volume_burst=flow.volume_burst,
            trades_30=flow.prints_30(),
            largest_share_30=flow.largest_share(),
            depth_mean=flow.depth.read(),
            depth_5=flow.depth_now,
            depth_5_mean=flow.depth_levels.read(),
            vpin=self.toxicity.value,
            vpin_percentile=self.toxicity.percentile,
            vwap_60=flow.vwap(60, tick),
            vwap_900=flow.vwap(900, tick),
            vwap_3600=flow.vwap(3600, tick),
            atr_60=self.range.read() * tick * 0.5,
            beta_0=self.response.value,
            beta_5=five.value,
            beta_15=fifteen.value,
            beta_30=thirty.value,
            half_life=self.reversion.half_life,
            entropy=self.disorder.value,
            funding_now_cast=self.funding.rate,
            basis_bp=basis.now,
            basis_mean_bp=basis.mean.read() if known else NAN,
            basis_sd_bp=basis.deviation() if known else NAN,
        )
