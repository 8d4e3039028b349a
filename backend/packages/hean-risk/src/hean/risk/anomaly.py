"""The price-anomaly guard: one answer for an instrument, ahead of the gate.

Every quote and trade meets one comparison against a band computed each beat; only what leaves it
is looked at closely. z = |ln(p/p')| / (sigma sqrt(dt)), so a long gap is not a jump. Blocks run out
by time; exits are never blocked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from hean.core.bus import Bus, Stage
from hean.core.events.market import Bar, BarSource, Quote, Trade
from hean.core.events.system import Heartbeat
from hean.core.market_view import MarketView
from hean.core.snapshot import pack, unpack
from hean.core.timers import Agenda
from hean.risk.settings import RiskSettings

SECOND_NS = 1_000_000_000
SHORT, LONG = 5, 60
"""Seconds over which a jump and a crash are measured."""
WARNING = 0.02
LEAST_JUMP = 0.005
"""Moves below half a percent are no anomaly, however quiet the market was."""
LEAST_SPREAD, SPREAD_MULTIPLE = 0.005, 5.0
FOLLOWED = 0.25
"""Mark and index that moved less than this share of the print say that the print is bad."""
DECAY = 0.97
LEAST_RETURNS = 20
"""Beats or bars before the forecast is trusted."""
MOST_SPREADS = 64

_OFF = math.inf


class Watch(msgspec.Struct):
    """What is known of one instrument: the band, the last samples, the block."""

    low: float = -_OFF
    high: float = _OFF
    widest: float = _OFF
    price: float = 0.0
    price_ns: int = 0
    mark: float = 0.0
    variance: float = 0.0
    returns: int = 0
    beats: int = 0
    recent: list[float] = []
    minute: list[float] = []
    spreads: list[float] = []
    blocked_until: int = 0
    reason: str = ""
    is_wide: bool = False
    refused_price: float = 0.0
    update_ns: int = 0
    stale_ns: int = 0
    minute_low: float = _OFF
    minute_high: float = 0.0
    warnings: int = 0


class _State(msgspec.Struct, frozen=True):
    watches: dict[str, Watch]
    version: int


class AnomalyGuard:
    """Watches prices and spreads; `block` says until when and why an instrument takes no entry."""

    name = "risk_anomaly"

    def __init__(self, *, section: RiskSettings, agenda: Agenda, view: MarketView) -> None:
        self._section = section
        self._agenda = agenda
        self._view = view
        self._watches: dict[str, Watch] = {}
        self.version = 0

    @property
    def watches(self) -> Mapping[str, Watch]:
        return self._watches

    def attach(self, bus: Bus) -> None:
        """Subscribe to prices and the feed's beat."""
        bus.subscribe(Trade, self._on_trade, stage=Stage.RISK, owner=self.name)
        bus.subscribe(Quote, self._on_quote, stage=Stage.RISK, owner=self.name)
        bus.subscribe(Bar, self._on_bar, stage=Stage.RISK, owner=self.name)
        bus.subscribe(Heartbeat, self._on_heartbeat, stage=Stage.RISK, owner=self.name)

    def block(self, instrument: str) -> tuple[int, str]:
        """Return until when and why entries are barred; (0, "") when they are not.

        A wide spread or silence bars until it ends: the time is then the present.
        """
        watch = self._watches.get(instrument)
        if watch is None:
            return (0, "")
        now = self._agenda.now
        if watch.blocked_until > now:
            return (watch.blocked_until, watch.reason)
        if watch.is_wide:
            return (now, "wide spread")
        if watch.stale_ns and now - self._newest(instrument, watch) > watch.stale_ns:
            return (now, "no update")
        return (0, "")

    def _newest(self, instrument: str, watch: Watch) -> int:
        newest, view = watch.update_ns, self._view
        for kept in (view.quotes, view.books, view.trades):
            found = kept.get(instrument)
            if found is not None and found.ts_init > newest:
                newest = found.ts_init
        return newest

    def _on_trade(self, event: Trade) -> None:
        watch = self._watches.get(event.instrument)
        if watch is None:
            watch = self._first(event.instrument)
        if not watch.low < event.price < watch.high:
            self._examine(event.instrument, watch, event.price)

    def _on_quote(self, event: Quote) -> None:
        watch = self._watches.get(event.instrument)
        if watch is None:
            watch = self._first(event.instrument)
        bid, ask = event.bid, event.ask
        if event.synthetic:
            return
        if not watch.low < (bid + ask) * 0.5 < watch.high:
            self._examine(event.instrument, watch, (bid + ask) * 0.5)
        if (ask - bid > watch.widest) is not watch.is_wide:
            watch.is_wide = not watch.is_wide
            self.version += 1

    def _first(self, instrument: str) -> Watch:
        watch = self._watches[instrument] = Watch()
        watch.update_ns = self._agenda.now
        watch.stale_ns = self._section.anomaly_stale_seconds * SECOND_NS
        return watch

    def _on_bar(self, event: Bar) -> None:
        if event.source is BarSource.FRAMES or event.close <= 0.0:
            return
        watch = self._watches.get(event.instrument)
        if watch is None:
            watch = self._first(event.instrument)
        stale = max(2 * event.interval_ns, self._section.anomaly_stale_seconds * SECOND_NS)
        watch.stale_ns, watch.update_ns = stale, self._agenda.now
        before = watch.price
        if before > 0.0:
            value = math.log(event.close / before)
            elapsed = max(1.0, (self._agenda.now - watch.price_ns) / event.interval_ns)
            score = self._score(watch, value, elapsed)
            seconds = event.interval_ns // SECOND_NS
            if score >= self._section.anomaly_z and abs(value) >= LEAST_JUMP:
                self._judge(event.instrument, watch, value, event.close)
            if seconds <= LONG and abs(value) >= self._section.anomaly_crash:
                self._block(watch, self._section.anomaly_crash_block_seconds, "crash")
            self._learn(watch, value, elapsed)
        watch.price, watch.price_ns = event.close, self._agenda.now
        self._note_mark(event.instrument, watch)

    def _on_heartbeat(self, event: Heartbeat) -> None:
        if event.interval_ns > LONG * SECOND_NS // 2:
            return
        for instrument, watch in self._watches.items():
            self._sample(instrument, watch, event.ts_init)

    def _sample(self, instrument: str, watch: Watch, now: int) -> None:
        quote = self._view.quotes.get(instrument)
        if quote is not None:
            if quote.synthetic:
                return
            price, at = (quote.bid + quote.ask) * 0.5, quote.ts_init
            self._note_spread(watch, quote.ask - quote.bid, price)
        else:
            trade = self._view.trades.get(instrument)
            if trade is None:
                return
            price, at = trade.price, trade.ts_init
        is_new = price > 0.0 and price != watch.refused_price and at > watch.price_ns
        if is_new:
            self._take_price(watch, price, at)
            self._note_mark(instrument, watch)
        self._age(watch, is_new=is_new)
        self._set_band(watch)

    def _take_price(self, watch: Watch, price: float, at: int) -> None:
        watch.refused_price = 0.0
        before = watch.price
        if before > 0.0:
            elapsed = max(1.0, (at - watch.price_ns) / SECOND_NS)
            self._learn(watch, math.log(price / before), elapsed)
        watch.price, watch.price_ns = price, at

    def _age(self, watch: Watch, *, is_new: bool) -> None:
        """Move both windows by a beat: a price comes in where there is one, an old one leaves."""
        watch.beats += 1
        recent, minute = watch.recent, watch.minute
        if is_new:
            recent.append(watch.price)
        if recent and (not is_new or len(recent) > SHORT):
            recent.pop(0)
        if watch.beats % SHORT == 0:
            if is_new:
                minute.append(watch.price)
            if minute and (not is_new or len(minute) > LONG // SHORT):
                minute.pop(0)
            watch.minute_low = min(minute, default=_OFF)
            watch.minute_high = max(minute, default=0.0)

    def _set_band(self, watch: Watch) -> None:
        """Inside the band no event of the coming second can be worth a look."""
        price = watch.price
        if price <= 0.0:
            return
        recent = watch.recent
        low, high = (min(recent), max(recent)) if recent else (price, price)
        floor, ceiling = high * (1.0 - WARNING), low * (1.0 + WARNING)
        if watch.minute:
            crash = self._section.anomaly_crash
            bound = watch.minute_high * (1.0 - crash)
            floor = bound if bound > floor else floor
            bound = watch.minute_low * (1.0 + crash)
            ceiling = bound if bound < ceiling else ceiling
        if watch.returns >= LEAST_RETURNS and watch.variance > 0.0:
            jump = self._section.anomaly_z * math.sqrt(watch.variance)
            jump = jump if jump > LEAST_JUMP else LEAST_JUMP
            bound = price * (1.0 - jump)
            floor = bound if bound > floor else floor
            bound = price * (1.0 + jump)
            ceiling = bound if bound < ceiling else ceiling
        watch.low, watch.high = floor, ceiling

    def _examine(self, instrument: str, watch: Watch, price: float) -> None:
        """Look closely at a price outside the band."""
        if price <= 0.0 or watch.price <= 0.0:
            return
        now = self._agenda.now
        section = self._section
        value = math.log(price / watch.price)
        elapsed = max(1.0, (now - watch.price_ns) / SECOND_NS)
        short = _move(watch.recent, price)
        long = max(short, _move(watch.minute, price))
        score = self._score(watch, value, elapsed)
        if short >= section.anomaly_jump or (
            score >= section.anomaly_z and abs(value) >= LEAST_JUMP
        ):
            if not self._judge(instrument, watch, value, price):
                return
        elif short >= WARNING:
            watch.warnings += 1
        if long >= section.anomaly_crash:
            self._block(watch, section.anomaly_crash_block_seconds, "crash")

    def _judge(self, instrument: str, watch: Watch, value: float, price: float) -> bool:
        """Block a jump; return False for a bad print, which mark and index did not follow."""
        mark = self._view.marks.get(instrument)
        section = self._section
        if mark is not None and mark.mark > 0.0 and watch.mark > 0.0 and not mark.coarse:
            followed = abs(math.log(mark.mark / watch.mark))
            if followed < FOLLOWED * abs(value):
                watch.refused_price = price
                self._block(watch, section.anomaly_bad_print_block_seconds, "bad print")
                return False
        self._block(watch, section.anomaly_jump_block_seconds, "jump")
        return True

    def _block(self, watch: Watch, seconds: int, reason: str) -> None:
        until = self._agenda.now + seconds * SECOND_NS
        if until > watch.blocked_until:
            watch.blocked_until, watch.reason = until, reason
            self.version += 1

    def _score(self, watch: Watch, value: float, elapsed: float) -> float:
        if watch.returns < LEAST_RETURNS or watch.variance <= 0.0:
            return 0.0
        return abs(value) / math.sqrt(watch.variance * elapsed)

    def _learn(self, watch: Watch, value: float, elapsed: float) -> None:
        watch.returns += 1
        squared = value * value / elapsed
        if watch.returns <= LEAST_RETURNS:
            watch.variance += (squared - watch.variance) / watch.returns
        else:
            watch.variance = DECAY * watch.variance + (1.0 - DECAY) * squared

    def _note_mark(self, instrument: str, watch: Watch) -> None:
        mark = self._view.marks.get(instrument)
        watch.mark = 0.0 if mark is None else mark.mark

    def _note_spread(self, watch: Watch, spread: float, price: float) -> None:
        spreads = watch.spreads
        if not watch.is_wide:
            spreads.append(spread)
            if len(spreads) > MOST_SPREADS:
                spreads.pop(0)
        if watch.widest == _OFF or watch.beats % 16 == 0:
            middle = sorted(spreads)[len(spreads) // 2] if spreads else spread
            watch.widest = max(SPREAD_MULTIPLE * middle, LEAST_SPREAD * price)

    def snapshot(self) -> bytes:
        """Return every watch."""
        return pack(self.name, 1, _State(self._watches, self.version))

    def restore(self, state: bytes) -> None:
        """Take over the watches of a snapshot."""
        found = unpack(state, self.name, 1, _State)
        self._watches, self.version = found.watches, found.version


def _move(samples: list[float], price: float) -> float:
    """Return the largest relative move from earlier prices to `price`."""
    if not samples:
        return 0.0
    return max(abs(price / min(samples) - 1.0), abs(price / max(samples) - 1.0))
