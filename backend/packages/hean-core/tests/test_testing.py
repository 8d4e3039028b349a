from __future__ import annotations

import os

import pytest

from hean.core.events.base import Event
from hean.core.events.market import InstrumentUpdated, Quote
from hean.core.events.system import Heartbeat
from hean.core.testing import (
    BTC,
    START,
    MiniSystem,
    btc_perpetual,
    btc_spot,
    clean_environment,
    eth_perpetual,
    eth_spot,
    order_request,
    quote,
    sol_perpetual,
)


def test_a_small_system_announces_instruments_and_records() -> None:
    """Instruments are known to the view, and the recorder hears what is taken, in order."""
    system = MiniSystem(instruments=[btc_perpetual()], pulse=True)
    system.take(quote(at=START + 1))
    system.advance(2)
    kinds: list[type[Event]] = [type(event) for event in system.recorder.events]
    assert kinds == [Heartbeat, InstrumentUpdated, Quote, Heartbeat, Heartbeat]
    assert system.view.instruments[BTC] == btc_perpetual()
    assert system.recorder.last(Quote).bid == 60_000.0
    system.recorder.clear()
    assert system.of(Quote) == []
    with pytest.raises(IndexError):
        system.recorder.last(Quote)


def test_order_ids_follow_the_signal() -> None:
    """Two evaluations give two orders; the same one gives the same order again."""
    assert order_request() == order_request()
    assert order_request(number=2).client_order_id != order_request().client_order_id


def test_instruments_have_ids_of_their_own() -> None:
    """The shipped instruments are five different ones, two of them spot."""
    found = [btc_perpetual(), eth_perpetual(), sol_perpetual(), btc_spot(), eth_spot()]
    assert len({one.id for one in found}) == 5
    assert [one.id for one in found if one.is_spot] == [
        "BTCUSDT-SPOT.BYBIT",
        "ETHUSDT-SPOT.BYBIT",
    ]


def test_the_developers_environment_is_hidden_and_comes_back() -> None:
    """Inside only the given names exist beside PATH and HOME; after, all is as before."""
    before = dict(os.environ)
    with clean_environment(RANDOM_SEED="1"):
        assert set(os.environ) <= {"PATH", "HOME", "RANDOM_SEED"}
        os.environ["LEFT_BEHIND"] = "1"
    assert dict(os.environ) == before
