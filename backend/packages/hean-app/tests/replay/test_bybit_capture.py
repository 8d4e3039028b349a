"""Raw Bybit v5 sessions: connections merged by time, books, trades and tickers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hean.app.feeds.replay import DatasetFeed
from hean.core.errors import DataError
from hean.core.events import (
    BookUpdate,
    Event,
    FeedGap,
    FundingRate,
    MarkPrice,
    Need,
    Quote,
    Side,
    Trade,
)

from .dataset_files import BEGIN, BEGIN_MS, PERPETUAL, SPOT, series, write_dataset, write_zstd

SECOND = 1_000_000_000
STAMP_MS = BEGIN_MS + 3000
Level = tuple[str, str]


def _connect(conn: str, category: str) -> str:
    address = f"wss://stream.bybit.com/v5/public/{category}"
    return json.dumps({"t": "connect", "conn": conn, "ts": BEGIN / 1e9, "addr": address})


def _recv(conn: str, second: float, message: dict[str, Any]) -> str:
    line = {"t": "recv", "conn": conn, "ts": BEGIN / 1e9 + second, "data": json.dumps(message)}
    return json.dumps(line, separators=(",", ":"))


def _book(
    conn: str,
    second: float,
    kind: str,
    update: int,
    bids: Sequence[Level],
    asks: Sequence[Level],
    depth: int = 200,
) -> str:
    data = {"s": "BTCUSDT", "b": list(bids), "a": list(asks), "u": update, "seq": 1}
    message = {"topic": f"orderbook.{depth}.BTCUSDT", "type": kind, "ts": BEGIN_MS, "data": data}
    return _recv(conn, second, message | {"cts": BEGIN_MS - 3})


def _ticker(second: float, **data: str) -> str:
    moment = BEGIN_MS + round(second * 1000)
    message = {"topic": "tickers.BTCUSDT", "type": "delta", "ts": moment, "data": data}
    return _recv("linear", second, message)


def _trade(conn: str, second: float, side: str, price: str = "100.5") -> str:
    one = {"T": BEGIN_MS - 7, "s": "BTCUSDT", "S": side, "v": "0.5", "p": price, "i": "x"}
    return _recv(conn, second, {"topic": "publicTrade.BTCUSDT", "ts": BEGIN_MS, "data": [one, one]})


def _feed(folder: Path, *lines: str, instrument: str = PERPETUAL) -> DatasetFeed:
    head = json.dumps({"t": "header", "format": 2})
    opened = [head, _connect("linear", "linear"), _connect("spot", "spot")]
    write_zstd(folder / "session", [*opened, *lines])
    return DatasetFeed(
        write_dataset(folder, series("raw_bybit_v5", "session", instrument=instrument))
    )


def _told(events: Sequence[Event]) -> list[tuple[str, float]]:
    return [(type(one).__name__, (one.ts_init - BEGIN) / SECOND) for one in events]


def test_connections_are_merged_by_receive_time(tmp_path: Path) -> None:
    """Lines grouped by connection come out in the order they were received."""
    feed = _feed(
        tmp_path,
        _trade("linear", 1, "Buy"),
        _trade("linear", 3, "Sell"),
        _trade("spot", 2, "Buy"),
        instrument=f"{PERPETUAL} {SPOT}",
    )
    trades = [event for event in feed.events() if isinstance(event, Trade)]
    assert [one.instrument for one in trades] == [PERPETUAL] * 2 + [SPOT] * 2 + [PERPETUAL] * 2
    assert [one.taker_side for one in trades[::2]] == [Side.BUY, Side.BUY, Side.SELL]
    assert (trades[0].price, trades[0].quantity) == (100.5, 0.5)
    assert trades[0].ts_event == BEGIN - 7_000_000
    assert trades[0].ts_init == BEGIN + SECOND
    assert feed.description.carries[PERPETUAL] == (Need.TRADES,)


def test_books_follow_u_and_a_jump_is_a_gap_until_a_snapshot(tmp_path: Path) -> None:
    """Deltas apply while `u` rises by one; a jump is a gap and only a snapshot starts anew."""
    asks = [("101", "1")]
    feed = _feed(
        tmp_path,
        _book("linear", 1, "delta", 4, [("98", "1")], []),
        _book("linear", 2, "snapshot", 5, [("99", "1")], asks),
        _book("linear", 3, "delta", 6, [("98", "1")], []),
        _book("linear", 4, "delta", 8, [("99.5", "1")], []),
        _book("linear", 5, "delta", 9, [("99.6", "1")], []),
        _book("linear", 6, "snapshot", 1, [("99.7", "1")], asks),
        _book("linear", 7, "delta", 2, [("99.7", "0"), ("97", "0"), ("90", "1")], []),
    )
    events = list(feed.events())
    assert _told(events) == [
        ("Quote", 2),
        ("BookUpdate", 2),
        ("BookUpdate", 3),
        ("FeedGap", 4),
        ("Quote", 6),
        ("BookUpdate", 6),
        ("Quote", 7),
        ("BookUpdate", 7),
    ]
    gap, last = events[3], events[-1]
    assert isinstance(gap, FeedGap)
    assert gap.reason == "book update 8 does not follow 6"
    assert isinstance(last, BookUpdate)
    assert (last.bids, last.sequence) == (((90.0, 1.0),), 2)
    assert last.ts_event == BEGIN - 3_000_000
    assert feed.description.carries[PERPETUAL] == (Need.QUOTES, Need.DEPTH)


def test_a_crossed_book_is_a_gap(tmp_path: Path) -> None:
    """A bid at or above the best ask gives the book up."""
    feed = _feed(
        tmp_path,
        _book("linear", 1, "snapshot", 5, [("99", "1")], [("101", "1")]),
        _book("linear", 2, "delta", 6, [("102", "1")], []),
        _book("linear", 3, "delta", 7, [("102", "0")], []),
    )
    assert _told(list(feed.events())) == [("Quote", 1), ("BookUpdate", 1), ("FeedGap", 2)]


def test_a_second_depth_of_one_book_is_left_out(tmp_path: Path) -> None:
    """Where a session has two depths of a book the first one seen is kept."""
    feed = _feed(
        tmp_path,
        _book("linear", 1, "snapshot", 5, [("99", "1")], [("101", "1")]),
        _book("linear", 2, "snapshot", 70, [("98", "1")], [("101", "1")], depth=50),
        _book("linear", 3, "delta", 6, [("99.5", "1")], []),
    )
    quotes = [event for event in feed.events() if isinstance(event, Quote)]
    assert [one.bid for one in quotes] == [99.0, 99.5]


def test_tickers_keep_what_a_delta_leaves_out(tmp_path: Path) -> None:
    """A delta holds only changes: marks carry index and interest on, funding its bounds."""
    feed = _feed(
        tmp_path,
        _ticker(
            1,
            markPrice="100.5",
            indexPrice="100.4",
            singleOpenInterest="7",
            openInterest="14",
            fundingRate="0.0001",
            nextFundingTime=str(STAMP_MS),
            fundingIntervalHour="8",
            fundingCap="0.005",
        ),
        _ticker(2, markPrice="100.6", bid1Price="1"),
        _ticker(2.5, fundingRate="0.0002"),
    )
    events = list(feed.events())
    marks = [one for one in events if isinstance(one, MarkPrice)]
    assert [(one.mark, one.index, one.open_interest, one.coarse) for one in marks] == [
        (100.5, 100.4, 7.0, False),
        (100.6, 100.4, 7.0, False),
    ]
    rates = [one for one in events if isinstance(one, FundingRate)]
    assert [(one.rate, one.lower, one.upper) for one in rates] == [
        (0.0001, -0.005, 0.005),
        (0.0002, -0.005, 0.005),
    ]
    assert {one.next_funding_time for one in rates} == {STAMP_MS * 1_000_000}
    assert {one.interval_ns for one in rates} == {8 * 3600 * SECOND}
    assert feed.description.carries[PERPETUAL] == (Need.FUNDING, Need.INDEX)


def test_funding_settles_when_the_next_time_moves_past_the_stamp(tmp_path: Path) -> None:
    """The rate predicted last before a stamp is what was settled at it."""
    feed = _feed(
        tmp_path,
        _ticker(1, fundingRate="0.0001", nextFundingTime=str(STAMP_MS), fundingIntervalHour="8"),
        _ticker(2, fundingRate="0.0003"),
        _ticker(4, fundingRate="0.0001", nextFundingTime=str(STAMP_MS + 8 * 3_600_000)),
    )
    rates = [event for event in feed.events() if isinstance(event, FundingRate)]
    assert [(one.settled, one.rate) for one in rates] == [
        (False, 0.0001),
        (False, 0.0003),
        (True, 0.0003),
        (False, 0.0001),
    ]
    assert rates[2].ts_event == STAMP_MS * 1_000_000
    assert rates[2].ts_init == BEGIN + 4 * SECOND


def test_the_sessions_own_rules_replace_the_datasets(tmp_path: Path) -> None:
    """An `instruments-info` reply in the session updates tick, lots, leverage and bounds."""
    row = {
        "symbol": "BTCUSDT",
        "fundingInterval": 60,
        "upperFundingRate": "0.02",
        "lowerFundingRate": "-0.01",
        "leverageFilter": {"maxLeverage": "25"},
        "priceFilter": {"tickSize": "0.5"},
        "lotSizeFilter": {
            "maxOrderQty": "9",
            "minOrderQty": "0.02",
            "qtyStep": "0.01",
            "maxMktOrderQty": "8",
            "minNotionalValue": "7",
        },
    }
    reply = json.dumps({"result": {"category": "linear", "list": [row]}})
    url = "https://api.bybit.com/v5/market/instruments-info?category=linear"
    http = json.dumps({"t": "http", "conn": "h", "ts": 1.0, "url": url, "data": reply})
    feed = _feed(tmp_path, http, _trade("linear", 1, "Buy"))
    (rules,) = feed.description.instruments
    assert (rules.tick_size, rules.lot_step) == (Decimal("0.5"), Decimal("0.01"))
    assert (rules.max_leverage, rules.min_notional) == (Decimal(25), Decimal(7))
    assert (rules.funding_lower, rules.funding_upper) == (-0.01, 0.02)
    assert rules.funding_interval_ns == 3600 * SECOND
    assert rules.taker_fee == Decimal("0.00055")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["{"], "line 4 is no capture line"),
        ([_trade("linear", 1, "Buyer")], "line 4: message cannot be read .trade has side 'Buyer'"),
        ([_trade("linear", 1, "Buy", price="0")], "Expected `float` > 0.0"),
        (
            [_trade("linear", 2, "Buy"), _trade("linear", 1, "Buy")],
            "line 5: ts of connection linear goes backwards",
        ),
        ([_trade("spot", 1, "Buy")], f"holds no message of {PERPETUAL}"),
        ([_ticker(1, markPrice="?", indexPrice="1")], "message cannot be read"),
    ],
)
def test_a_wrong_session_is_refused(tmp_path: Path, lines: Sequence[str], said: str) -> None:
    """What cannot be trusted in a session is named with file and place."""
    with pytest.raises(DataError, match=said):
        list(_feed(tmp_path, *lines).events())
