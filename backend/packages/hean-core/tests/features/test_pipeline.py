from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hean.core.bus import Stage
from hean.core.events import (
    Bar,
    BarSource,
    Cycle,
    Event,
    FeedGap,
    Frame,
    Quote,
    Regime,
    RegimeChanged,
    Side,
    decode,
    encode,
)
from hean.core.features import (
    FeaturePipeline,
    FeatureTables,
    InstrumentTables,
    MicroPriceTable,
)
from hean.core.testing import (
    BTC,
    ETH,
    MINUTE,
    SECOND,
    START,
    MiniSystem,
    bar,
    book,
    btc_perpetual,
    eth_perpetual,
    funding,
    instrument_updated,
    mark,
    quote,
    trade,
)


def ignore(_: Event) -> None:
    """Take an event and do nothing."""


def system(*wanted: type[Event], key: str = BTC, has_ticks: bool = True) -> MiniSystem:
    """Return a running system in which a strategy asks for these events of one instrument."""
    made = MiniSystem(pulse=has_ticks)
    made.add(FeaturePipeline(bus=made.bus, agenda=made.agenda, view=made.view, has_ticks=has_ticks))
    for kind in wanted:
        made.bus.subscribe(kind, ignore, stage=Stage.STRATEGIES, owner="strategy", key=key)
    made.take(instrument_updated(btc_perpetual()), instrument_updated(eth_perpetual()))
    return made


def pipeline_of(made: MiniSystem) -> FeaturePipeline:
    """Return a fresh pipeline on another system's parts."""
    return FeaturePipeline(bus=made.bus, agenda=made.agenda, view=made.view)


def ticks(seed: int, seconds: int, *, instrument: str = BTC) -> Iterator[Event]:
    """Yield a seeded session with quotes, books, trades, marks, funding, silence and a gap."""
    chance = random.Random(seed)
    mid = 600_000
    for second in range(seconds):
        now = START + second * SECOND
        if chance.random() < 0.1:
            continue
        for part in range(3):
            at = now + 1 + part * 300_000_000
            mid += chance.choice((-9, -2, 0, 0, 2, 9))
            bid, ask = mid * 0.1, (mid + 1) * 0.1
            size = chance.randrange(1, 900) * 0.001
            yield quote(bid, ask, instrument=instrument, size=size, at=at)
            if part == 1:
                yield book(bid, ask, instrument=instrument, size=size, at=at)
                side = chance.choice((Side.BUY, Side.SELL))
                yield trade(bid, size, side, instrument=instrument, at=at)
        if second % 20 == 3:
            index = mid * 0.1 * 0.9999
            yield mark(mid * 0.1, index=index, instrument=instrument, at=now + 950_000_000)
        if second % 600 == 7:
            yield funding(instrument=instrument, at=now + 960_000_000)
        if second == seconds // 2:
            at = now + 970_000_000
            yield FeedGap(ts_event=at, ts_init=at, instrument=instrument, reason="lost")


def test_a_frame_comes_each_second_at_its_heartbeat() -> None:
    """Frames follow each other second by second, silence included, each at its end."""
    made = system(Frame)
    made.take(quote(60_000.0, 60_000.1, at=START + 5))
    made.advance(10.0)
    frames = made.of(Frame)
    assert [one.second for one in frames] == [START // SECOND + place for place in range(10)]
    assert [one.ts_event for one in frames] == [START + (place + 1) * SECOND for place in range(10)]
    assert all(one.ts_init == one.ts_event for one in frames)
    assert (frames[0].quotes, frames[1].quotes) == (1, 0)


def test_who_did_not_ask_costs_nothing() -> None:
    """Without a subscription of a strategy no instrument is followed and no event handled."""
    made = MiniSystem(pulse=True)
    pipeline = made.add(pipeline_of(made))
    made.take(instrument_updated(btc_perpetual()))
    made.take(*ticks(1, 30))
    assert not pipeline.is_following(BTC)
    assert not made.of(Frame)
    owners = [
        one.owner for kind in (type(quote()), type(trade())) for one in made.bus.subscriptions(kind)
    ]
    assert "features" not in owners


def test_only_the_instrument_asked_for_is_followed() -> None:
    """A strategy that reads BTC frames causes none for ETH."""
    made = system(Frame)
    made.take(*ticks(1, 5), *ticks(1, 5, instrument=ETH))
    made.advance(2.0)
    assert {one.instrument for one in made.of(Frame)} == {BTC}


def test_a_required_instrument_is_followed() -> None:
    """What the composition requires is followed without any subscriber."""
    made = MiniSystem(pulse=True, instruments=[btc_perpetual()])
    pipeline = made.add(pipeline_of(made))
    pipeline.require(BTC)
    made.take(quote(at=START + 1))
    made.advance(3.0)
    assert len(made.of(Frame)) == 3


def test_who_asks_for_bars_gets_bars_and_no_frames() -> None:
    """A subscription to bars alone makes one-minute bars of the mid, with the trades' volume."""
    made = system(Bar)
    made.take(quote(60_000.0, 60_000.1, at=START + 5), trade(60_000.1, 0.5, at=START + 6))
    made.take(quote(60_010.0, 60_010.1, at=START + 20 * SECOND))
    made.take(quote(59_990.0, 59_990.1, at=START + 50 * SECOND))
    made.advance(11.0)
    (found,) = made.of(Bar)
    assert (found.open, found.high, found.low, found.close) == pytest.approx(
        (60_000.05, 60_010.05, 59_990.05, 59_990.05)
    )
    assert (found.open_time, found.ts_event, found.volume) == (START, START + MINUTE, 0.5)
    assert found.source is BarSource.FRAMES
    assert not made.of(Frame)


def test_no_bars_are_made_where_no_trades_come() -> None:
    """An instrument with quotes alone gets frames and no bars."""
    made = system(Frame, Bar)
    made.take(quote(at=START + 5))
    made.advance(130.0)
    assert len(made.of(Frame)) == 130
    assert not made.of(Bar)


def test_synthetic_quotes_make_no_frame() -> None:
    """A quote that was made from a bar is not market data of a second."""
    made = system(Frame)
    made.take(quote(at=START + 5, synthetic=True))
    made.advance(5.0)
    assert not made.of(Frame)


def test_a_gap_clears_the_book_until_it_is_rebuilt() -> None:
    """After `FeedGap` frames say that the book is not ready, and again ready with a new image."""
    made = system(Frame)
    gap = FeedGap(ts_event=0, ts_init=START + SECOND, instrument=BTC, reason="lost")
    made.take(quote(at=START + 1), book(at=START + 2))
    made.take(gap, book(at=START + 2 * SECOND + 1))
    made.advance(1.5)
    assert [one.book_ready for one in made.of(Frame)] == [True, False, True]


def test_the_regime_is_announced_when_it_becomes_ready() -> None:
    """The first `RegimeChanged` comes with the first ready second, and names the regime."""
    made = system(RegimeChanged)
    made.take(*ticks(3, 3700))
    found = made.of(RegimeChanged)[0]
    assert (found.ready, found.moved, found.phase) == (True, ("regime",), None)
    assert (found.ts_init - START) // SECOND == 3659


def run(made: MiniSystem, events: list[Event]) -> list[bytes]:
    """Feed events and return what the features published, as text that shows NaN apart."""
    made.recorder.clear()
    made.take(*events)
    kinds = (Frame, RegimeChanged, Bar)
    return [repr(one).encode() for one in made.recorder.events if isinstance(one, kinds)]


def test_a_snapshot_in_mid_stream_gives_the_same_remainder() -> None:
    """What follows a restore into new objects equals what followed in the run that went on."""
    events = list(ticks(4, 5000))
    cut = len(events) * 2 // 3
    made = MiniSystem(pulse=True)
    pipeline = made.add(pipeline_of(made))
    made.bus.subscribe(Frame, ignore, stage=Stage.STRATEGIES, owner="strategy", key=BTC)
    made.take(instrument_updated(btc_perpetual()))
    run(made, events[:cut])
    kept = [made.kernel.snapshot(), made.agenda.snapshot(), made.view.snapshot()]
    state = pipeline.snapshot()
    expected = run(made, events[cut:])

    again = MiniSystem(pulse=True)
    restored = again.add(pipeline_of(again))
    again.bus.subscribe(Frame, ignore, stage=Stage.STRATEGIES, owner="strategy", key=BTC)
    again.kernel.restore(kept[0])
    again.agenda.restore(kept[1])
    again.view.restore(kept[2])
    restored.restore(state)
    assert restored.snapshot() == state
    found = run(again, events[cut:])
    assert len(found) > 1500
    assert found == expected


def test_the_same_session_gives_the_same_bytes_twice() -> None:
    """Two runs of one session leave equal snapshots."""
    states: list[bytes] = []
    for _ in range(2):
        made = MiniSystem(pulse=True, instruments=[btc_perpetual()])
        pipeline = made.add(pipeline_of(made))
        pipeline.require(BTC)
        made.take(*ticks(5, 400))
        states.append(pipeline.snapshot())
    assert states[0] == states[1]


def test_funding_and_basis_enter_the_frame() -> None:
    """With an index and a next stamp the frame after a minute carries basis and now-cast."""
    made = system(Frame)
    made.take(funding(at=START), quote(60_060.0, 60_060.1, at=START + 1))
    for second in range(61):
        at = START + second * SECOND + 2
        made.take(mark(60_060.0, index=60_000.0, at=at))
    last = made.of(Frame)[-1].features
    assert last.basis_bp == pytest.approx(9.995, abs=0.001)
    assert last.funding_now_cast == pytest.approx(5e-4, abs=1e-6)


def test_bars_alone_give_a_cycle_and_no_regime() -> None:
    """On bar data the cycle is known after a day; no frame, no phase, and the regime not ready."""
    made = system(RegimeChanged, has_ticks=False)
    interval = 5 * MINUTE
    for place in range(1, 3 * 97 + 1):
        close = 60_000.0 + 20.0 * place
        made.take(bar(close, open=close - 20.0, interval=interval, at=START + place * interval))
    (found,) = made.of(RegimeChanged)
    assert (found.ready, found.regime, found.phase) == (False, Regime.NORMAL, None)
    assert (found.cycle, found.moved) == (Cycle.MARKUP, ("cycle",))
    assert not made.of(Frame)


def test_regime_changes_survive_the_wire() -> None:
    """What is published decodes from its JSON line to the same event."""
    made = system(RegimeChanged)
    made.take(*ticks(3, 3700))
    found = made.of(RegimeChanged)[0]
    assert decode(encode(found)) == found


def test_a_new_tick_size_starts_the_instrument_anew() -> None:
    """Frames after a change of the tick count in new ticks and carry nothing over."""
    made = system(Frame)
    made.take(quote(60_000.0, 60_000.1, at=START + 1))
    made.advance(2.0)
    finer = replace(btc_perpetual(), tick_size=Decimal("0.01"))
    made.take(instrument_updated(finer, at=made.now))
    made.take(quote(60_000.0, 60_000.1, at=made.now + 1))
    made.advance(2.0)
    first, last = made.of(Frame)[0], made.of(Frame)[-1]
    assert (first.ask, last.ask) == (600_001, 6_000_010)
    assert (last.return_e9, last.ofi) == (0, 0)


def test_a_late_subscriber_turns_bars_into_frames() -> None:
    """An instrument followed for bars alone is followed in full once frames are asked for."""
    made = system(Bar)
    made.take(quote(at=START + 1))
    made.advance(2.0)
    assert not made.of(Frame)
    made.bus.subscribe(Frame, ignore, stage=Stage.STRATEGIES, owner="late", key=BTC)
    made.take(instrument_updated(btc_perpetual(), at=made.now))
    made.advance(2.0)
    assert len(made.of(Frame)) == 2


def tables(correction: float) -> FeatureTables:
    """Return tables for BTC: one correction everywhere, all weight on the third level."""
    rules = btc_perpetual()
    own = InstrumentTables(
        tick=rules.tick,
        lot=rules.lot,
        micro_price=MicroPriceTable(
            version="v", corrections=((correction, correction, correction),) * 10
        ),
        level_weights=(0, 0, 1000, 0, 0),
    )
    return FeatureTables(
        version="v", source="made", source_sha256="", first=0, last=0, instruments={BTC: own}
    )


def following(given: FeatureTables | None = None) -> tuple[MiniSystem, FeaturePipeline]:
    """Return a system and its pipeline, with these tables, that follows BTC for frames."""
    made = MiniSystem(pulse=True)
    pipeline = made.add(
        FeaturePipeline(bus=made.bus, agenda=made.agenda, view=made.view, tables=given)
    )
    made.bus.subscribe(Frame, ignore, stage=Stage.STRATEGIES, owner="strategy", key=BTC)
    made.take(instrument_updated(btc_perpetual()))
    return made, pipeline


def test_counts_go_on_after_a_snapshot() -> None:
    """A pipeline restored in the middle counts what one never stopped counts."""
    events = list(ticks(5, 400))
    whole, pipeline = following()
    whole.take(*events[:900])
    state = pipeline.snapshot()
    again, restored = following()
    restored.restore(state)
    for one in (whole, again):
        one.take(*events[900:])
    counts = pipeline.counts()[BTC]
    assert restored.counts()[BTC] == counts
    assert sum(counts.touches.leave) > 100
    assert counts.levels.count > 100


@pytest.mark.parametrize("given", [None, 3.0])
def test_a_restored_state_goes_on_with_the_tables_of_this_start(given: float | None) -> None:
    """The micro-price of a snapshot does not outlive the file it came from."""
    events = [
        replace(one, ask_size=one.bid_size + 0.001) if isinstance(one, Quote) else one
        for one in ticks(6, 60)
    ]
    made, pipeline = following(tables(1.0))
    made.take(*events[:100])
    again, restored = following(None if given is None else tables(given))
    restored.restore(pipeline.snapshot())
    again.take(*events[100:])
    found = [(frame.features.micro_bp, (frame.bid + frame.ask) / 2.0) for frame in again.of(Frame)]
    assert len(found) > 10
    if given is None:
        assert all(one != one for one, _ in found)
        return
    for one, mid in found:
        assert one == pytest.approx(1e4 * given / mid)
