from __future__ import annotations

from hean.core.events.market import Side
from hean.core.market_view import MarketView
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
    funding,
    mark,
    quote,
    trade,
)


def _source(system: MiniSystem) -> str | None:
    found = system.view.mark(BTC)
    return None if found is None else found.source


def test_the_mark_is_the_venues_until_it_is_old() -> None:
    """A mark price counts until it is more than 5 s behind the quotes, then their mid does."""
    system = MiniSystem()
    assert system.view.mark(BTC) is None
    system.take(mark(59_990.0), quote(at=START + 5 * SECOND))
    assert _source(system) == "mark"
    system.take(quote(60_000.0, 60_000.2, at=START + 5 * SECOND + 1))
    found = system.view.mark(BTC)
    assert found is not None
    assert (found.source, found.price) == ("quote", 60_000.1)


def test_a_quote_is_as_new_as_the_image_that_shows_it_unchanged() -> None:
    """A newer book with the same best prices makes the quote younger; other best prices do not."""
    system = MiniSystem()
    system.take(quote(60_000.0, 60_000.1, at=START))
    system.take(book(60_000.0, 60_000.1, at=START + 8 * SECOND))
    found = system.view.mark(BTC)
    assert found is not None
    assert (found.source, found.ts_ns) == ("quote", START + 8 * SECOND)
    system.take(book(60_001.0, 60_001.1, at=START + 9 * SECOND))
    found = system.view.mark(BTC)
    assert found is not None
    assert (found.price, found.ts_ns) == (60_000.05, START)


def test_on_bars_a_mark_older_than_the_last_bar_is_old() -> None:
    """Where quotes are synthetic the newest bar decides the age, and the quote's mid is next."""
    system = MiniSystem()
    system.take(mark(at=START), bar(at=START + MINUTE))
    assert _source(system) == "bar"
    system.take(quote(at=START + MINUTE, synthetic=True))
    assert _source(system) == "quote"
    system.take(mark(at=START + MINUTE))
    assert _source(system) == "mark"


def test_where_only_trades_come_the_last_trade_is_the_mark() -> None:
    """Without quotes and marks the last trade values a position, and is the touch."""
    system = MiniSystem()
    system.take(bar(59_000.0), trade(60_001.0))
    assert _source(system) == "trade"
    assert system.view.touch(BTC, Side.BUY) == 60_001.0


def test_the_touch_is_what_a_taker_meets() -> None:
    """A buyer meets the ask, a seller the bid; with bars alone both meet the close."""
    system = MiniSystem()
    assert system.view.touch(BTC, Side.BUY) is None
    system.take(bar(59_000.0))
    assert system.view.touch(BTC, Side.SELL) == 59_000.0
    system.take(quote(60_000.0, 60_000.1))
    assert system.view.touch(BTC, Side.BUY) == 60_000.1
    assert system.view.touch(BTC, Side.SELL) == 60_000.0


def test_a_snapshot_carries_the_newest_of_everything() -> None:
    """A restored view answers like the one it was taken from."""
    system = MiniSystem(instruments=[btc_perpetual()])
    system.take(
        quote(),
        quote(instrument=ETH),
        trade(),
        book(),
        bar(),
        mark(),
        funding(0.0002),
        funding(0.0003, settled=True),
    )
    other = MarketView()
    other.restore(system.view.snapshot())
    assert other.snapshot() == system.view.snapshot()
    assert other.instruments == system.view.instruments
    assert other.mark(BTC) == system.view.mark(BTC)
    assert other.settled_funding[BTC].rate == 0.0003
    assert other.predicted_funding[BTC].rate == 0.0002
