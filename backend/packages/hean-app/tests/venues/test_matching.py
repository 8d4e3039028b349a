from decimal import Decimal

from hean.app.venues.matching import Consumed, Market, MarketFills, worsened
from hean.app.venues.settings import VenueSettings
from hean.core.events import Bar, BookUpdate, Quote, Side, Trade
from hean.core.testing import bar, book, btc_perpetual, quote, trade

BTC = btc_perpetual()
FILLS = MarketFills.of(VenueSettings(slippage_bp=1, thin_book_bp=10))
D = Decimal


def market(
    *,
    quote: Quote | None = None,
    book: BookUpdate | None = None,
    trade: Trade | None = None,
    bar: Bar | None = None,
    consumed: Consumed | None = None,
) -> Market:
    """Return what the market shows; nothing else is known."""
    return Market(quote, book, trade, bar, consumed or Consumed())


def test_depth_is_walked_and_remembered_until_the_book_refreshes() -> None:
    """A second taker meets only what the first left; a new image forgets it."""
    image, consumed = book(ask=60_000.1, size=1.0, levels=3), Consumed()
    first = FILLS.take(BTC, market(book=image, consumed=consumed), Side.BUY, D("1.5"), None)
    assert first == ((D("60000.1"), 1), (D("60000.2"), D("0.5")))
    second = FILLS.take(BTC, market(book=image, consumed=consumed), Side.BUY, D("1"), None)
    assert second == ((D("60000.2"), D("0.5")), (D("60000.3"), D("0.5")))
    fresh = book(ask=60_000.1, size=1.0, levels=3, at=image.ts_init + 1)
    third = FILLS.take(BTC, market(book=fresh, consumed=consumed), Side.BUY, D("1"), None)
    assert third == ((D("60000.1"), 1),)


def test_limit_stops_the_walk() -> None:
    """A limited order takes no level beyond its price, a market order goes past the last one."""
    image = book(bid=60_000.0, size=1.0, levels=2)
    limited = FILLS.take(BTC, market(book=image), Side.SELL, D(5), D("60000.0"))
    assert limited == ((D("60000.0"), 1),)
    through = FILLS.take(BTC, market(book=image), Side.SELL, D(5), None)
    assert [one.quantity for one in through] == [1, 1, 3]
    assert through[-1].price == D("59939.9")


def test_touch_gives_its_size_then_slippage() -> None:
    """Beyond the displayed size the rest costs slippage, and a limit at the touch refuses it."""
    shown = quote(60_000.0, 60_000.1, size=0.5)
    both = FILLS.take(BTC, market(quote=shown), Side.BUY, D(1), None)
    assert both == ((D("60000.1"), D("0.5")), (D("60006.2"), D("0.5")))
    capped = FILLS.take(BTC, market(quote=shown), Side.BUY, D(1), D("60000.1"))
    assert capped == ((D("60000.1"), D("0.5")),)


def test_trades_only_fill_at_the_last_price_plus_slippage_within_the_limit() -> None:
    """Slippage goes against the taker and stops at its limit; beyond the limit nothing fills."""
    last = trade(60_000.0)
    assert FILLS.take(BTC, market(trade=last), Side.SELL, D(1), None)[0].price == D("59994.0")
    capped = FILLS.take(BTC, market(trade=last), Side.BUY, D(1), D("60001.0"))
    assert capped == ((D("60001.0"), 1),)
    assert FILLS.take(BTC, market(trade=last), Side.BUY, D(1), D("59999.9")) == ()


def test_bars_use_the_synthetic_quote_in_force() -> None:
    """On bars a taker pays the synthetic quote plus slippage, not the bar's close."""
    shown = quote(60_000.0, 60_010.0, synthetic=True, size=0.0)
    found = FILLS.take(BTC, market(quote=shown, bar=bar(59_000.0)), Side.BUY, D(1), None)
    assert found == ((worsened(BTC, 60_010.0, Side.BUY, 1.0), 1),)
    assert found[0].price > D("60010")


def test_without_slippage_the_price_is_the_grids_nearest() -> None:
    """Zero slippage leaves the price where it is."""
    assert worsened(BTC, 60_000.1, Side.BUY, 0.0) == D("60000.1")
