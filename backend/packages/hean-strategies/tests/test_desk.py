from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from hean.core.events import (
    Intent,
    OrderStyle,
    PositionChange,
    PositionChanged,
    ReasonCode,
    RefusedBy,
    Regime,
    RegimeChanged,
    SignalRejected,
)
from hean.core.features import FrameBuilder, MicroPriceTable, micro_price
from hean.core.ids import client_order_id
from hean.core.testing import (
    BTC,
    SECOND,
    START,
    btc_perpetual,
    expired,
    filled,
    order_request,
    position_closed,
    position_opened,
    quote,
    signal,
)
from hean.strategies import desk as desks
from hean.strategies.desk import Desk, wished
from hean.strategies.pace import PaceRules


def _desk() -> Desk:
    desk = Desk(instrument=BTC, specification=btc_perpetual())
    desk.entry = wished(signal())
    return desk


def test_a_fill_hands_the_plan_to_the_position() -> None:
    """Stop and targets of the entry are the position's, and the filled entry is gone."""
    desk, order = _desk(), order_request()
    desks.on_fill(desk, filled(order))
    assert desk.entry is not None
    desks.on_opened(desk, position_opened(order=order.client_order_id))
    assert desk.entry is None
    assert desk.holding is not None
    assert (desk.holding.stop, desk.holding.targets) == (59_700.0, (60_600.0,))


def test_a_partial_fill_keeps_the_entry() -> None:
    """While some of the entry still works, it is the desk's own."""
    desk, order = _desk(), order_request(quantity="0.002")
    desks.on_fill(desk, filled(order, quantity="0.001"))
    desks.on_opened(desk, position_opened(order=order.client_order_id))
    assert desk.entry is not None
    assert desks.on_order_end(desk, expired(order, filled="0.001")) is None
    assert desk.entry is None


def test_an_unfilled_entry_is_returned_once() -> None:
    """The end of an untouched entry is told once, for the order that may follow it."""
    desk, order = _desk(), order_request()
    ended = desks.on_order_end(desk, expired(order))
    assert ended is not None
    assert ended.order_id == client_order_id(ended.signal_id)
    assert desks.on_order_end(desk, expired(order)) is None


def test_own_refusals_are_not_the_gates() -> None:
    """A strategy's own refusal coming back changes nothing; the gate's ends the entry."""
    desk = _desk()
    assert desk.entry is not None
    own = SignalRejected(
        ts_event=START, ts_init=START, signal_id=desk.entry.signal_id, strategy="alpha",
        instrument=BTC, layer="DATA", code=ReasonCode.STALE, refused_by=RefusedBy.STRATEGY,
    )  # fmt: skip
    assert desks.on_refusal(desk, own) is None
    gate = msgspec.structs.replace(own, refused_by=RefusedBy.GATE)
    assert desks.on_refusal(desk, gate) is not None
    assert desk.idle
    assert desk.refused is not None
    assert desk.refused.by_gate


def test_a_close_starts_the_pace_and_tells_of_a_working_rest() -> None:
    """A closed position whose entry still works asks for it to be pulled."""
    desk = _desk()
    desks.on_opened(desk, position_opened())
    assert desks.on_closed(desk, position_closed(net="-1"), PaceRules(losses=1, pause_ns=5))
    assert desk.pace.paused_until == START + 5
    assert desk.holding is None


def test_funding_is_added_up() -> None:
    """Funding received counts in USDT and in stamps."""
    desk = _desk()
    desks.on_opened(desk, position_opened())
    paid = PositionChanged(
        ts_event=START, ts_init=START, strategy="alpha", instrument=BTC,
        change=PositionChange.FUNDING, quantity=Decimal("0.001"), entry_price=Decimal(60_000),
        risk=Decimal(1), amount=Decimal("0.5"),
    )  # fmt: skip
    desks.on_changed(desk, paid)
    desks.on_changed(desk, paid)
    assert desk.holding is not None
    assert (desk.holding.received, desk.holding.stamps) == (1.0, 2)


def test_the_regimes_age_starts_when_it_changes() -> None:
    """A new phase in the same regime does not make the regime young."""
    desk = _desk()
    first = RegimeChanged(
        ts_event=START, ts_init=START, instrument=BTC, ready=True, regime=Regime.RANGE, phase=None,
        cycle=None, regime_confidence=1.0, phase_confidence=0.0, cycle_confidence=0.0,
        moved=("regime",),
    )  # fmt: skip
    desks.on_regime(desk, first)
    desks.on_regime(desk, msgspec.structs.replace(first, ts_init=START + SECOND))
    assert (desk.regime, desk.regime_since) == (Regime.RANGE, START)


def test_the_touch_is_its_own_side_when_passive() -> None:
    """A resting buy stands at the bid, a taking one meets the ask."""
    book = quote(99.0, 101.0)
    assert desks.touch(book, 1, passive=True) == 99.0
    assert desks.touch(book, 1, passive=False) == 101.0
    assert desks.touch(book, -1, passive=True) == 101.0
    assert (desks.mid(book), desks.spread_bp(book)) == (100.0, 200.0)


def test_a_wish_keeps_the_signals_terms() -> None:
    """What a desk keeps of a signal is its intent, style, and client order id."""
    one = signal(style=OrderStyle.POST_ONLY)
    kept = wished(one, stage=2)
    assert (kept.intent, kept.style, kept.stage) == (Intent.OPEN, OrderStyle.POST_ONLY, 2)


TABLE = MicroPriceTable(
    version="made", corrections=tuple((at - 4.5, 2.0 * at - 9.0, 0.0) for at in range(10))
)


@pytest.mark.parametrize(("bid_size", "width"), [(9.0, 1), (1.0, 1), (4.0, 2), (9.9, 2), (5.0, 7)])
def test_the_micro_price_is_looked_up_as_frames_do(bid_size: float, width: int) -> None:
    """A fitted table gives the distance from the mid in bp, at the ticks and lots of the frame."""
    desk = _desk()
    desk.micro_price = TABLE
    rules = desk.specification
    event = msgspec.structs.replace(
        quote(60_000.0, 60_000.0 + width * rules.tick), bid_size=bid_size, ask_size=10.0 - bid_size
    )
    builder = FrameBuilder(1.0 / rules.tick, 1.0 / rules.lot)
    builder.add_quote(event)
    row = builder.close()
    fair = micro_price(row.bid, row.ask, row.bid_lots, row.top_lots - row.bid_lots, TABLE)
    above = fair - (row.bid + row.ask) / 2.0
    found = desks.micro_bp(desk, event, 0.5)
    assert found == pytest.approx(1e4 * above / ((row.bid + row.ask) / 2.0), abs=1e-12)


def test_without_a_table_a_share_of_the_weighted_mid_stands_in() -> None:
    """Nine to one on 1 bp leans by 0.4 bp, of which the share is believed; nothing is nothing."""
    event = msgspec.structs.replace(quote(59_997.0, 60_003.0), bid_size=9.0, ask_size=1.0)
    assert desks.micro_bp(_desk(), event, 0.5) == pytest.approx(0.5 * 0.4)
    empty = msgspec.structs.replace(event, bid_size=0.0, ask_size=0.0)
    assert desks.micro_bp(_desk(), empty, 0.5) == 0.0
