"""Raw Binance captures: sequence rules, messages and what can be wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hean.app.feeds.replay import DatasetFeed
from hean.core.errors import DataError
from hean.core.events import BookUpdate, Event, FeedGap, Need, Quote, Side, Trade

from .dataset_files import BEGIN, specification, write_dataset, write_gzip
from .dataset_files import series as table

PERPETUAL = "BTCUSDT-PERP.BINANCE"
SPOT = "BTCUSDT-SPOT.BINANCE"
MS = 1_000_000
Level = tuple[str, str]
BIDS: list[Level] = [("99", "1"), ("98", "2")]
ASKS: list[Level] = [("101", "1"), ("102", "2")]


def _line(milliseconds: int, message: dict[str, Any]) -> str:
    return f"{BEGIN + milliseconds * MS} {json.dumps(message, separators=(',', ':'))}"


def _stream(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"stream": f"btcusdt@{kind}", "data": data}


def _snapshot(at: int, last: int) -> str:
    return _line(at, {"lastUpdateId": last, "bids": BIDS, "asks": ASKS})


def _diff(
    at: int, first: int, last: int, before: int | None = None, bids: Sequence[Level] = ()
) -> str:
    data: dict[str, Any] = {"e": "depthUpdate", "E": BEGIN // MS + at - 5, "U": first, "u": last}
    if before is not None:
        data["pu"] = before
    return _line(at, _stream("depth@100ms", data | {"b": list(bids), "a": []}))


def _ticker(at: int, bid: str, ask: str) -> str:
    return _line(at, _stream("bookTicker", {"u": 1, "b": bid, "B": "3", "a": ask, "A": "4"}))


def _print(at: int, *, sold: bool, kind: str = "trade", **more: object) -> str:
    data: dict[str, Any] = {"T": BEGIN // MS + at - 1, "p": "100.5", "q": "0.25", "m": sold}
    return _line(at, _stream(kind, data | more))


def _feed(
    folder: Path, *files: Sequence[str], instrument: str = PERPETUAL, **more: int
) -> DatasetFeed:
    tables: list[str] = []
    for number, lines in enumerate(files):
        write_gzip(folder / f"{number}.gz", lines)
        tables.append(table("raw_binance", f"{number}.gz", instrument=instrument))
    rows = [specification(PERPETUAL), specification(SPOT)]
    return DatasetFeed(write_dataset(folder, *tables, instruments=rows), **more)


def _books(events: Sequence[Event]) -> list[tuple[int, int, float]]:
    """(ms, sequence, best bid) of each image."""
    return [
        ((one.ts_init - BEGIN) // MS, one.sequence, one.bids[0][0])
        for one in events
        if isinstance(one, BookUpdate)
    ]


def test_spot_diffs_wait_for_a_snapshot_that_comes_after_them(tmp_path: Path) -> None:
    """Diffs the snapshot covers are dropped, the one that spans it and those after are applied."""
    lines = [
        _diff(1, 90, 95, bids=[("99.5", "7")]),
        _diff(2, 96, 103, bids=[("99.1", "1")]),
        _diff(3, 104, 106, bids=[("99.2", "1")]),
        _snapshot(4, 100),
        _diff(5, 107, 107, bids=[("99.2", "0")]),
    ]
    events = list(_feed(tmp_path, lines, instrument=SPOT).events())
    assert _books(events) == [(4, 106, 99.2), (5, 107, 99.1)]
    last = events[-1]
    assert isinstance(last, BookUpdate)
    assert last.bids == ((99.1, 1.0), (99.0, 1.0), (98.0, 2.0))
    assert last.asks == ((101.0, 1.0), (102.0, 2.0))
    assert last.ts_event == BEGIN
    assert last.ts_init == BEGIN + 5 * MS


def test_futures_diffs_follow_by_pu(tmp_path: Path) -> None:
    """On futures the first diff spans the snapshot and later ones name the update before."""
    lines = [
        _diff(1, 90, 95, 89),
        _snapshot(2, 100),
        _diff(3, 96, 103, 95, bids=[("99.1", "1")]),
        _diff(4, 110, 112, 103, bids=[("99.2", "1")]),
    ]
    assert _books(list(_feed(tmp_path, lines).events())) == [
        (2, 100, 99.0),
        (3, 103, 99.1),
        (4, 112, 99.2),
    ]


def test_a_break_is_a_gap_until_the_next_snapshot(tmp_path: Path) -> None:
    """After a missing update nothing is told of the book but the gap, until a snapshot heals it."""
    lines = [
        _snapshot(1, 100),
        _diff(2, 101, 103, bids=[("99.1", "1")]),
        _diff(3, 105, 106, bids=[("99.2", "1")]),
        _diff(4, 107, 108, bids=[("99.3", "1")]),
        _snapshot(5, 107),
        _diff(6, 109, 109, bids=[("99.4", "1")]),
    ]
    events = list(_feed(tmp_path, lines, instrument=SPOT).events())
    assert _books(events) == [(1, 100, 99.0), (2, 103, 99.1), (5, 108, 99.3), (6, 109, 99.4)]
    gaps = [event for event in events if isinstance(event, FeedGap)]
    assert [(gap.ts_init - BEGIN) // MS for gap in gaps] == [3]
    assert gaps[0].reason == "depth update 105 does not follow 103"


def test_a_snapshot_older_than_the_diffs_does_not_start_a_book(tmp_path: Path) -> None:
    """A snapshot that no diff reaches back to is a gap; the next one that fits starts the book."""
    lines = [
        _diff(1, 105, 106),
        _snapshot(2, 100),
        _diff(3, 107, 108, bids=[("99.3", "1")]),
        _snapshot(4, 107),
    ]
    events = list(_feed(tmp_path, lines, instrument=SPOT).events())
    assert [type(event) for event in events if not isinstance(event, Quote)] == [
        FeedGap,
        BookUpdate,
    ]
    assert _books(events) == [(4, 108, 99.3)]


def test_a_book_goes_on_across_files_and_ignores_a_needless_snapshot(tmp_path: Path) -> None:
    """The second file of a series follows on; a snapshot in an unbroken book changes nothing."""
    first = [_snapshot(1, 100), _diff(2, 101, 103, bids=[("99.1", "1")])]
    second = [_snapshot(3, 102), _diff(4, 104, 105, bids=[("99.2", "1")])]
    events = list(_feed(tmp_path, first, second, instrument=SPOT).events())
    assert _books(events) == [(1, 100, 99.0), (2, 103, 99.1), (4, 105, 99.2)]


def test_a_crossed_book_is_a_gap(tmp_path: Path) -> None:
    """A bid at the best ask cannot be: the book is given up."""
    lines = [_snapshot(1, 100), _diff(2, 101, 103, bids=[("101", "1")]), _diff(3, 104, 104)]
    events = list(_feed(tmp_path, lines, instrument=SPOT).events())
    gaps = [event for event in events if isinstance(event, FeedGap)]
    assert [gap.reason for gap in gaps] == ["book crossed at update 103: bid 101.0, ask 101.0"]
    assert _books(events) == [(1, 100, 99.0)]


def test_without_a_snapshot_depth_is_not_carried_and_it_is_said(tmp_path: Path) -> None:
    """A capture of diffs alone tells its quotes and trades only, and says why."""
    feed = _feed(tmp_path, [_diff(1, 101, 103), _ticker(2, "99", "101"), _print(3, sold=True)])
    assert feed.description.carries[PERPETUAL] == (Need.QUOTES, Need.TRADES)
    assert [type(event) for event in feed.events()] == [Quote, Trade]
    assert any("no snapshot to start from" in note for note in feed.description.notes)


def test_quotes_come_from_the_ticker_or_else_from_the_touch(tmp_path: Path) -> None:
    """With bookTicker the quotes are its own; without, each change of the book's touch is one."""
    with_ticker = [_snapshot(1, 100), _ticker(2, "99", "101"), _diff(3, 101, 101)]
    events = list(_feed(tmp_path, with_ticker, instrument=SPOT).events())
    quotes = [event for event in events if isinstance(event, Quote)]
    assert [(one.bid, one.bid_size, one.ask, one.ask_size) for one in quotes] == [(99, 3, 101, 4)]
    assert quotes[0].ts_event == quotes[0].ts_init == BEGIN + 2 * MS
    without = [
        _snapshot(1, 100),
        _diff(2, 101, 101, bids=[("97", "5")]),
        _diff(3, 102, 102, bids=[("99", "9")]),
    ]
    feed = _feed(tmp_path, without, instrument=SPOT)
    touched = [event for event in feed.events() if isinstance(event, Quote)]
    assert [((one.ts_init - BEGIN) // MS, one.bid_size) for one in touched] == [(1, 1.0), (3, 9.0)]
    assert feed.description.carries[SPOT] == (Need.QUOTES, Need.DEPTH)


def test_the_taker_of_a_trade_is_the_side_that_did_not_wait(tmp_path: Path) -> None:
    """Buyer-is-maker means the taker sold; times are the exchange's and the local one."""
    lines = [
        _print(2, sold=True),
        _print(3, sold=False),
        _print(4, sold=False, X="INSURANCE_FUND"),
    ]
    trades = [one for one in _feed(tmp_path, lines).events() if isinstance(one, Trade)]
    assert [one.taker_side for one in trades] == [Side.SELL, Side.BUY]
    assert (trades[0].price, trades[0].quantity, trades[0].count) == (100.5, 0.25, 1)
    assert (trades[0].ts_event, trades[0].ts_init) == (BEGIN + MS, BEGIN + 2 * MS)


def test_aggregates_count_their_prints_and_yield_to_single_prints(tmp_path: Path) -> None:
    """An aggTrade of several prints carries their number; beside trades it is left out."""
    aggregate = _print(2, sold=True, kind="aggTrade", f=10, l=12)
    (trade,) = [one for one in _feed(tmp_path, [aggregate]).events() if isinstance(one, Trade)]
    assert (trade.count, trade.sell_volume, trade.buy_volume, trade.largest) == (3, 0.25, 0, 0.25)
    both = _feed(tmp_path, [aggregate, _print(3, sold=False)])
    assert [one.ts_init - BEGIN for one in both.events()] == [3 * MS]
    assert any("aggregates are left out" in note for note in both.description.notes)


@pytest.mark.parametrize("divisor", [1, 1000, 1_000_000])
def test_local_times_may_be_ns_us_or_ms(tmp_path: Path, divisor: int) -> None:
    """The unit of the local time is told by its size."""
    rest = _ticker(7, "99", "101").partition(" ")[2]
    events = list(_feed(tmp_path, [f"{(BEGIN + 7 * MS) // divisor} {rest}"]).events())
    assert events[0].ts_init == BEGIN + 7 * MS


def test_a_range_keeps_the_book_of_before(tmp_path: Path) -> None:
    """A run that starts within a capture has the book as the messages before built it."""
    lines = [_snapshot(1, 100)]
    lines += [_diff(at, 99 + at, 99 + at, bids=[(f"{99 + at / 10}", "1")]) for at in range(2, 9)]
    feed = _feed(tmp_path, lines, instrument=SPOT, start_ns=BEGIN + 4 * MS, end_ns=BEGIN + 6 * MS)
    books = _books(list(feed.events()))
    assert books == [(4, 103, 99.4), (5, 104, 99.5), (6, 105, 99.6)]
    assert (feed.description.ticks_from, feed.description.last) == (BEGIN + 4 * MS, BEGIN + 6 * MS)


def test_images_hold_the_levels_asked_for(tmp_path: Path) -> None:
    """`depth_levels` is the N of the top-N image."""
    feed = _feed(tmp_path, [_snapshot(1, 100), _diff(2, 101, 101)], depth_levels=1)
    images = [event for event in feed.events() if isinstance(event, BookUpdate)]
    assert [(len(one.bids), len(one.asks)) for one in images] == [(1, 1), (1, 1)]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"{BEGIN + 9 * MS} not json", r"line 2: message cannot be read"),
        ("soon {}", r"line 2.* (begins with|cannot be read)"),
        (_ticker(9, "nan", "101"), "line 2: message cannot be read .bookTicker has bid nan"),
        (_ticker(9, "99", "0"), "bookTicker has bid 99.0 and ask 0.0"),
        (_print(9, sold=True, q="-1"), "trade has price 100.5 and quantity -1.0"),
        (_diff(9, 1, 2, bids=[("x", "1")]), r"Expected `float`.*\$\.data\.b\[0\]\[0\]"),
        (_diff(9, 1, 2, bids=[("-1", "1")]), "Expected `float` > 0.0"),
        (_ticker(0, "99", "101"), "line 2: local time goes backwards"),
        (_ticker(9, "99", "101").replace("btc", "eth"), "holds ETHUSDT .* its series says"),
    ],
)
def test_a_wrong_line_is_refused(tmp_path: Path, line: str, said: str) -> None:
    """A line that cannot be trusted is named with its file, place and fault."""
    last = _snapshot(20, 1)
    with pytest.raises(DataError, match=said) as caught:
        list(_feed(tmp_path, [_ticker(5, "99", "101"), line, last]).events())
    assert "0.gz" in str(caught.value)


def test_wrong_files_are_refused(tmp_path: Path) -> None:
    """An empty file, one without local times and a truncated one are refused at the start."""
    with pytest.raises(DataError, match="has no lines"):
        _feed(tmp_path, [])
    with pytest.raises(DataError, match="line 1 begins with"):
        _feed(tmp_path, ['{"stream":"btcusdt@trade"}'])
    feed = _feed(tmp_path, [_ticker(at, "99", "101") for at in range(2000)])
    file = tmp_path / "0.gz"
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(DataError, match="truncated"):
        DatasetFeed(feed.opened.dataset.path)
