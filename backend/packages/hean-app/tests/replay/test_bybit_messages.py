"""One instrument's public messages, as the documentation shows them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hean.app.replay.bybit_messages import BybitChannel
from hean.core.events import Event, FundingRate, MarkPrice
from hean.core.instruments import Instrument
from hean.core.testing import btc_perpetual, btc_spot


def _ticker(instrument: Instrument, **data: str) -> list[Event]:
    events: list[Event] = []
    message: dict[str, Any] = {"topic": "tickers.BTCUSDT", "ts": 5, "data": data}
    channel = BybitChannel(instrument, levels=20)
    channel.take("tickers.BTCUSDT", json.dumps(message), 7, events)
    return events


def test_empty_texts_of_a_ticker_are_no_values() -> None:
    """A field that is empty or absent is unknown, not zero."""
    (mark,) = _ticker(btc_perpetual(), markPrice="100.5", indexPrice="", fundingRate="")
    assert isinstance(mark, MarkPrice)
    assert (mark.mark, mark.index, mark.open_interest) == (100.5, None, None)


def test_a_funding_rate_without_interval_takes_the_instruments() -> None:
    """Where the ticker does not say the interval, the instrument's holds; bounds stay unknown."""
    perpetual = btc_perpetual()
    (rate,) = _ticker(perpetual, fundingRate="0.0001")
    assert isinstance(rate, FundingRate)
    assert rate.interval_ns == perpetual.funding_interval_ns
    assert (rate.lower, rate.upper, rate.next_funding_time) == (None, None, 0)


def test_a_spot_ticker_has_neither_mark_nor_funding() -> None:
    """Spot tickers tell nothing."""
    assert _ticker(btc_spot(), markPrice="100.5", fundingRate="0.1") == []


@pytest.mark.parametrize("topic", ["kline.1.BTCUSDT", "liquidation.BTCUSDT"])
def test_other_topics_are_not_read(topic: str) -> None:
    """What has no event of its own is passed over."""
    events: list[Event] = []
    BybitChannel(btc_perpetual(), levels=20).take(topic, "{}", 7, events)
    assert events == []
