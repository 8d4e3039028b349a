"""One followed instrument: its handlers, its state, and what it publishes."""

from __future__ import annotations

from typing import Final

import msgspec

from hean.core.bus import Bus
from hean.core.events.market import (
    Bar,
    BarSource,
    BookUpdate,
    FeedGap,
    Frame,
    FrameFeatures,
    FundingRate,
    MarkPrice,
    Quote,
    Regime,
    RegimeChanged,
    Trade,
)
from hean.core.features.bars import MinuteBars, QuarterBars, WholeBar
from hean.core.features.carry import IMPACT_MARGIN, impact_price, premium
from hean.core.features.frame import FrameBuilder, FrameRow
from hean.core.features.frame_features import FeatureSet
from hean.core.features.phase import CycleMachine, PhaseInputs, PhaseMachine
from hean.core.features.regime import RegimeInputs, RegimeMachine
from hean.core.features.tables import NO_TABLES, FeatureTables, InstrumentTables
from hean.core.features.touches import TouchCounts
from hean.core.instruments import Instrument
from hean.core.timers import Agenda

SECOND_NS: Final = 1_000_000_000
MINUTE_NS: Final = 60 * SECOND_NS
WEEK_SECONDS: Final = 604_800
_NOTHING: Final = float("nan")
_UNKNOWN_REGIME: Final = RegimeInputs(_NOTHING, _NOTHING, _NOTHING, _NOTHING, _NOTHING)
_UNKNOWN_PHASE: Final = PhaseInputs(_NOTHING, _NOTHING, _NOTHING, _NOTHING, Regime.NORMAL)


class TrackState(msgspec.Struct):
    """Everything that is kept of an instrument; a snapshot is this struct."""

    instrument: str
    tick: float
    lot: float
    impact_notional: float
    is_full: bool
    builder: FrameBuilder
    minutes: MinuteBars
    quarters: QuarterBars
    cycle: CycleMachine
    features: FeatureSet
    regime: RegimeMachine
    phase: PhaseMachine
    boundary: int = 0


class Track:
    """Follows one instrument second by second.

    `is_full` computes features, regime, phase and cycle; without it only bars are made. The tables
    are those of this start: a restored state goes on with them, whatever it was made with.
    """

    def __init__(
        self, agenda: Agenda, bus: Bus, state: TrackState, tables: FeatureTables | None = None
    ) -> None:
        self._agenda = agenda
        self._bus = bus
        self._tables = tables
        self.take(state)

    @classmethod
    def of(
        cls,
        agenda: Agenda,
        bus: Bus,
        specification: Instrument,
        *,
        is_full: bool,
        tables: FeatureTables | None = None,
    ) -> Track:
        tick, lot = specification.tick, specification.lot
        state = TrackState(
            instrument=specification.id,
            tick=tick,
            lot=lot,
            impact_notional=IMPACT_MARGIN * float(specification.max_leverage),
            is_full=is_full,
            builder=FrameBuilder(1.0 / tick, 1.0 / lot),
            minutes=MinuteBars(),
            quarters=QuarterBars(),
            cycle=CycleMachine(),
            features=FeatureSet.of(tick),
            regime=RegimeMachine(),
            phase=PhaseMachine(),
        )
        return cls(agenda, bus, state, tables)

    def take(self, state: TrackState) -> None:
        """Go on from a state."""
        self.state = state
        self._builder = state.builder
        self._boundary = state.boundary
        self._instrument = state.instrument
        tables = self._own_tables(state)
        state.builder.level_weights = tables.level_weights
        state.features.table = tables.micro_price
        if tables.micro_price is None:
            state.features.micro_bp = _NOTHING

    def _own_tables(self, state: TrackState) -> InstrumentTables:
        if self._tables is None:
            return NO_TABLES
        return self._tables.of(state.instrument, state.tick, state.lot)

    def counts(self) -> TouchCounts:
        """Return what was counted so far for the next tables."""
        state = self.state
        return TouchCounts(
            tick=state.tick,
            lot=state.lot,
            touches=state.builder.chain,
            levels=state.builder.moments,
        )

    def adopt(self, specification: Instrument, *, is_full: bool) -> None:
        """Take over what is wanted now; a new tick or lot size starts the instrument anew."""
        state = self.state
        if (specification.tick, specification.lot) != (state.tick, state.lot):
            full = is_full or state.is_full
            fresh = Track.of(self._agenda, self._bus, specification, is_full=full)
            self.take(fresh.state)
        elif is_full and not state.is_full:
            state.is_full = True

    def on_quote(self, event: Quote) -> None:
        """Take a quote; one made from a bar is none."""
        if event.synthetic:
            return
        if self._agenda.now >= self._boundary:
            self._roll()
        self._builder.add_quote(event)

    def on_trade(self, event: Trade) -> None:
        """Take a trade."""
        if self._agenda.now >= self._boundary:
            self._roll()
        self._builder.add_trade(event)

    def on_book(self, event: BookUpdate) -> None:
        """Take a complete book image."""
        if self._agenda.now >= self._boundary:
            self._roll()
        self._builder.add_book(event)

    def on_gap(self, _: FeedGap) -> None:
        """Distrust the book until it is rebuilt."""
        self.close_seconds()
        self._builder.forget_book()

    def on_funding(self, event: FundingRate) -> None:
        """Take the venue's predicted rate."""
        self.close_seconds()
        self.state.features.funding.follow(event)

    def on_mark(self, event: MarkPrice) -> None:
        """Take mark and index; those made from bars are too coarse for a one-second grid."""
        if event.coarse:
            return
        self.close_seconds()
        self.state.features.basis.follow(event)

    def on_bar(self, event: Bar) -> None:
        """Take a bar of the feed for the cycle, as long as no frame exists."""
        state = self.state
        if event.source is BarSource.FRAMES or not state.is_full or self._builder.mid:
            return
        half_tick = state.tick * 0.5
        prices = [round(x / half_tick) for x in (event.open, event.high, event.low, event.close)]
        lots = round(event.volume / state.lot)
        start = event.open_time // event.interval_ns
        bar = WholeBar(start, prices[0], prices[1], prices[2], prices[3], lots, 0)
        quarter = state.quarters.update(event.open_time, event.interval_ns, bar)
        if quarter is not None and state.cycle.step(quarter, has_trades=False):
            self._announce(_UNKNOWN_REGIME, _UNKNOWN_PHASE, ("cycle",))

    def close_seconds(self) -> None:
        """Close every second that is over by now."""
        if self._builder.mid and self._agenda.now >= self._boundary:
            self._roll()

    def _roll(self) -> None:
        second = self._agenda.now // SECOND_NS
        builder = self._builder
        if builder.mid == 0:
            builder.second = second
        else:
            while builder.second < second:
                self._close(builder.close())
        self._boundary = self.state.boundary = (second + 1) * SECOND_NS

    def _close(self, row: FrameRow) -> None:
        state = self.state
        bar = state.minutes.update(row)
        if not state.is_full:
            if bar is not None and self._builder.ever_traded:
                self._publish_bar(bar)
            return
        features = state.features
        if row.second % 60 == 59:
            self._close_minute(row, bar)
        features.update(row)
        inputs = features.regime_inputs()
        moved: tuple[str, ...] = ("regime",) if state.regime.step(inputs) else ()
        temperature = features.volatility.percentile
        heat = _UNKNOWN_PHASE
        if temperature == temperature:
            heat = features.phase_inputs(inputs.zeta, state.regime.regime)
            if state.phase.step(heat):
                moved = (*moved, "phase")
        if self._bus.wanted(Frame, self._instrument):
            self._publish_frame(row, features.read(inputs))
        if bar is not None:
            if self._builder.ever_traded:
                self._publish_bar(bar)
            if self._turns_cycle(bar):
                moved = (*moved, "cycle")
        if moved:
            self._announce(inputs, heat, moved)

    def _close_minute(self, row: FrameRow, bar: WholeBar | None) -> None:
        state = self.state
        features = state.features
        if bar is not None:
            features.range.update(bar.high, bar.low, bar.close)
        minute_end = (row.second + 1) * SECOND_NS
        basis = features.basis
        if basis.is_fresh(minute_end):
            bid, ask = row.bid * state.tick, row.ask * state.tick
            if row.book_ready:
                bid = impact_price(self._builder.bids, state.impact_notional)
                ask = impact_price(self._builder.asks, state.impact_notional)
            features.funding.update(minute_end, premium(bid, ask, basis.index))

    def _turns_cycle(self, bar: WholeBar) -> bool:
        state = self.state
        quarter = state.quarters.update(bar.start * MINUTE_NS, MINUTE_NS, bar)
        if quarter is None:
            return False
        return state.cycle.step(quarter, has_trades=self._builder.ever_traded)

    def _publish_frame(self, row: FrameRow, features: FrameFeatures) -> None:
        self._bus.publish(
            Frame(
                ts_event=(row.second + 1) * SECOND_NS,
                ts_init=self._agenda.now,
                instrument=self._instrument,
                second=row.second,
                bid=row.bid,
                ask=row.ask,
                mid=row.mid,
                high=row.high,
                low=row.low,
                return_e9=row.return_e9,
                buy_lots=row.buy_lots,
                sell_lots=row.sell_lots,
                trades=row.trades,
                largest_lots=row.largest_lots,
                traded_ticks=row.traded_ticks,
                ofi=row.ofi,
                quotes=row.quotes,
                books=row.books,
                conflated=row.conflated,
                book_ready=row.book_ready,
                features=features,
            )
        )

    def _publish_bar(self, bar: WholeBar) -> None:
        half_tick = self.state.tick * 0.5
        start = bar.start * MINUTE_NS
        self._bus.publish(
            Bar(
                ts_event=start + MINUTE_NS,
                ts_init=self._agenda.now,
                instrument=self._instrument,
                open_time=start,
                interval_ns=MINUTE_NS,
                open=bar.open * half_tick,
                high=bar.high * half_tick,
                low=bar.low * half_tick,
                close=bar.close * half_tick,
                volume=bar.lots * self.state.lot,
                source=BarSource.FRAMES,
            )
        )

    def _announce(self, inputs: RegimeInputs, heat: PhaseInputs, moved: tuple[str, ...]) -> None:
        state = self.state
        regime, phase, cycle = state.regime, state.phase, state.cycle
        phase_confidence = phase.confidence(heat) if heat is not _UNKNOWN_PHASE else 0.0
        if state.features.volatility.histogram.total < WEEK_SECONDS:
            phase_confidence *= 0.5
        self._bus.publish(
            RegimeChanged(
                ts_event=self._agenda.now,
                ts_init=self._agenda.now,
                instrument=self._instrument,
                ready=regime.ready,
                regime=regime.regime,
                phase=phase.phase,
                cycle=cycle.cycle,
                regime_confidence=regime.confidence(inputs),
                phase_confidence=phase_confidence,
                cycle_confidence=cycle.confidence(),
                moved=moved,
            )
        )
