"""The features of a run: events in; frames, one-minute bars and regime changes out.

An instrument is followed only when somebody asks for what is made of it: a subscription to `Frame`,
`Bar` or `RegimeChanged` with the instrument as key, or one of a strategy without a key. Components
that merely listen (books, risk, reports) take what comes and cause nothing.
"""

from __future__ import annotations

import msgspec

from hean.core.bus import Bus, Stage
from hean.core.events.base import Event
from hean.core.events.market import (
    Bar,
    BookUpdate,
    Frame,
    FundingRate,
    InstrumentUpdated,
    MarkPrice,
    Quote,
    RegimeChanged,
    Trade,
)
from hean.core.events.market import FeedGap as Gap
from hean.core.events.strategy import StrategyRegistered
from hean.core.events.system import Heartbeat, RunStarted
from hean.core.events.venue import VenueSnapshot
from hean.core.features.tables import FeatureTables
from hean.core.features.touches import TouchCounts
from hean.core.features.track import Track, TrackState
from hean.core.market_view import MarketView
from hean.core.snapshot import pack, unpack
from hean.core.timers import Agenda


class _State(msgspec.Struct, frozen=True):
    tracks: dict[str, TrackState]


class FeaturePipeline:
    """Follows each instrument that is asked for; attach it after the market view.

    `has_ticks` says whether the feed brings quotes or trades at all: without them no frame exists,
    the regime stays NORMAL and not ready, and the cycle is made from the feed's own bars. `tables`
    are the fitted ones of this start.
    """

    name = "features"

    def __init__(
        self,
        *,
        bus: Bus,
        agenda: Agenda,
        view: MarketView,
        has_ticks: bool = True,
        tables: FeatureTables | None = None,
    ) -> None:
        self._bus = bus
        self._agenda = agenda
        self._view = view
        self._has_ticks = has_ticks
        self._tables = tables
        self._tracks: dict[str, Track] = {}
        self._required: dict[str, None] = {}
        self._has_looked = False

    def attach(self, bus: Bus) -> None:
        """Subscribe to what tells which instruments are asked for; their events follow."""
        stage = Stage.FEATURES
        bus.subscribe(InstrumentUpdated, self._on_instrument, stage=stage, owner=self.name)
        bus.subscribe(RunStarted, self._look_again, stage=stage, owner=self.name)
        bus.subscribe(StrategyRegistered, self._look_again, stage=stage, owner=self.name)
        bus.subscribe(VenueSnapshot, self._look_again, stage=stage, owner=self.name)
        bus.subscribe(Heartbeat, self._on_heartbeat, stage=stage, owner=self.name)

    def require(self, instrument: str) -> None:
        """Follow an instrument in full even if nobody subscribed to what is made of it."""
        self._required[instrument] = None
        self._follow(instrument)

    def is_following(self, instrument: str) -> bool:
        """Return whether anything is computed for an instrument."""
        return instrument in self._tracks

    def counts(self) -> dict[str, TouchCounts]:
        """Return what was counted so far for the next tables, by instrument."""
        return {name: track.counts() for name, track in sorted(self._tracks.items())}

    def _on_instrument(self, event: InstrumentUpdated) -> None:
        self._follow(event.instrument)

    def _look_again(self, _: Event | None) -> None:
        for instrument in self._view.instruments:
            self._follow(instrument)

    def _follow(self, instrument: str) -> None:
        specification = self._view.instruments.get(instrument)
        if specification is None:
            return
        wants = self._is_asked(Frame, instrument) or self._is_asked(RegimeChanged, instrument)
        wants = wants or instrument in self._required
        track = self._tracks.get(instrument)
        if track is not None:
            track.adopt(specification, is_full=wants)
        elif wants or (self._has_ticks and self._is_asked(Bar, instrument)):
            made = Track.of(
                self._agenda, self._bus, specification, is_full=wants, tables=self._tables
            )
            self._open(instrument, made)

    def _is_asked(self, kind: type[Event], instrument: str) -> bool:
        return any(
            one.key == instrument or (one.key is None and one.stage is Stage.STRATEGIES)
            for one in self._bus.subscriptions(kind)
            if one.owner != self.name
        )

    def _open(self, instrument: str, track: Track) -> None:
        self._tracks[instrument] = track
        stage, owner = Stage.FEATURES, self.name
        bus = self._bus
        bus.subscribe(Bar, track.on_bar, stage=stage, owner=owner, key=instrument)
        if not self._has_ticks:
            return
        bus.subscribe(Quote, track.on_quote, stage=stage, owner=owner, key=instrument)
        bus.subscribe(Trade, track.on_trade, stage=stage, owner=owner, key=instrument)
        bus.subscribe(BookUpdate, track.on_book, stage=stage, owner=owner, key=instrument)
        bus.subscribe(Gap, track.on_gap, stage=stage, owner=owner, key=instrument)
        bus.subscribe(FundingRate, track.on_funding, stage=stage, owner=owner, key=instrument)
        bus.subscribe(MarkPrice, track.on_mark, stage=stage, owner=owner, key=instrument)

    def _on_heartbeat(self, event: Heartbeat) -> None:
        if not self._has_looked:
            self._has_looked = True
            self._look_again(event)
        for track in self._tracks.values():
            track.close_seconds()

    def snapshot(self) -> bytes:
        """Return the state of every followed instrument."""
        states = {name: track.state for name, track in self._tracks.items()}
        return pack(self.name, 2, _State(states))

    def restore(self, state: bytes) -> None:
        """Go on where a snapshot was taken, following what was followed then."""
        found = unpack(state, self.name, 2, _State)
        for instrument, one in found.tracks.items():
            track = self._tracks.get(instrument)
            if track is None:
                self._open(instrument, Track(self._agenda, self._bus, one, self._tables))
            else:
                track.take(one)
        self._look_again(None)
