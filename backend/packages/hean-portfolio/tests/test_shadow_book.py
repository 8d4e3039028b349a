from __future__ import annotations

import pytest
from msgspec.structs import replace

from hean.core.events import (
    Heartbeat,
    Intent,
    OrderStyle,
    ReasonCode,
    ShadowClosed,
    Side,
    Signal,
    SignalRejected,
)
from hean.core.testing import (
    BTC,
    ETH,
    HOUR,
    MINUTE,
    SECOND,
    START,
    MiniSystem,
    bar,
    btc_perpetual,
    eth_perpetual,
    funding,
    quote,
    signal,
    trade,
)
from hean.portfolio import ShadowBook


def started() -> tuple[MiniSystem, ShadowBook]:
    """Return a system with a shadow book."""
    system = MiniSystem(instruments=(btc_perpetual(), eth_perpetual()))
    book = system.add(ShadowBook(bus=system.bus, agenda=system.agenda, view=system.view))
    return system, book


def refusal(one: Signal, code: ReasonCode = ReasonCode.STRATEGY_INACTIVE) -> SignalRejected:
    """Return the gate's refusal of a signal."""
    return SignalRejected(
        ts_event=one.ts_init,
        ts_init=one.ts_init,
        signal_id=one.signal_id,
        strategy=one.strategy,
        instrument=one.instrument,
        layer="active",
        code=code,
    )


def refuse(
    system: MiniSystem, one: Signal, code: ReasonCode = ReasonCode.STRATEGY_INACTIVE
) -> None:
    """Publish a signal and its refusal."""
    system.take(one, refusal(one, code))


def test_a_taker_enters_at_the_touch_after_the_latency_and_stops_out() -> None:
    """An IOC fills at the first ask 150 ms later; the stop fills at the worse of stop and bid."""
    system, book = started()
    refuse(system, signal())
    system.take(quote(59_990.0, 59_995.0, at=START + 100_000_000))
    assert book.following == 1
    system.take(quote(59_980.0, 60_000.0, at=START + SECOND))
    system.take(quote(59_600.0, 59_600.1, at=START + 2 * SECOND))
    closed = system.of(ShadowClosed)[-1]
    assert (closed.entry_price, closed.exit_price) == (60_000.0, 59_600.0)
    assert closed.gross_bp == pytest.approx(-400 / 6, abs=1e-6)
    assert closed.fees_bp == pytest.approx(5.5 + 5.5 + 2.0)
    assert closed.r_multiple == pytest.approx(closed.net_bp / (50.0 + 13.0), abs=1e-6)
    assert closed.exit_reason == "stop"
    assert book.following == 0


def test_a_taker_beyond_its_limit_is_nothing() -> None:
    """An IOC whose limit the touch has left has no outcome."""
    system, book = started()
    refuse(system, signal())
    system.take(quote(60_100.0, 60_100.1, at=START + SECOND))
    assert book.following == 0
    assert system.of(ShadowClosed) == []


def test_a_maker_fills_only_when_traded_through() -> None:
    """A touch at the limit is no fill, a trade a tick beyond it is; so it is with the target."""
    system, book = started()
    refuse(system, signal(style=OrderStyle.POST_ONLY, ttl=HOUR))
    system.take(trade(60_000.0, at=START + SECOND), trade(59_999.9, at=START + 2 * SECOND))
    system.take(trade(60_600.0, at=START + 3 * SECOND))
    assert system.of(ShadowClosed) == []
    assert book.following == 1
    system.take(trade(60_600.1, at=START + 4 * SECOND))
    closed = system.of(ShadowClosed)[-1]
    assert closed.gross_bp == pytest.approx(100.0)
    assert closed.fees_bp == pytest.approx(4.0)
    assert closed.exit_reason == "target"


def test_an_unfilled_maker_expires() -> None:
    """A resting order that nobody crosses within its time is forgotten."""
    system, book = started()
    refuse(system, signal(style=OrderStyle.POST_ONLY))
    system.take(Heartbeat(ts_event=0, ts_init=START + 10 * SECOND, interval_ns=SECOND))
    assert book.following == 0


def test_bars_look_at_the_stop_first() -> None:
    """Where a bar reaches stop and target the stop counts, at the open if that is worse."""
    system, _ = started()
    refuse(system, signal())
    system.take(quote(60_000.0, 60_000.0, at=START + SECOND, synthetic=True))
    system.take(bar(60_000.0, high=61_000.0, low=59_000.0, at=START + 2 * MINUTE))
    assert system.of(ShadowClosed)[-1].exit_reason == "stop"
    assert system.of(ShadowClosed)[-1].exit_price == 59_700.0
    refuse(system, signal(number=2, at=START + 3 * MINUTE))
    system.take(quote(60_000.0, 60_000.0, at=START + 4 * MINUTE, synthetic=True))
    system.take(bar(59_500.0, open=59_400.0, high=59_600.0, low=59_000.0, at=START + 6 * MINUTE))
    assert system.of(ShadowClosed)[-1].exit_price == 59_400.0


def test_a_maker_on_bars_needs_a_whole_bar() -> None:
    """A bar that had begun before the order was there does not fill it, the next one does."""
    system, book = started()
    refuse(system, signal(style=OrderStyle.POST_ONLY, ttl=HOUR))
    system.take(bar(60_000.0, low=59_900.0, high=60_100.0, at=START + MINUTE))
    assert [one.opened_at for one in book.followed()] == [0]
    system.take(bar(60_000.0, low=59_900.0, high=60_100.0, at=START + 2 * MINUTE))
    assert [one.opened_at for one in book.followed()] == [START + 2 * MINUTE]


def test_time_ends_a_position_and_funding_counts() -> None:
    """The time stop leaves at the touch, and a settlement on the way is charged."""
    system, _ = started()
    refuse(system, replace(signal(), time_stop_ns=9 * HOUR))
    system.take(quote(60_000.0, 60_000.0, at=START + SECOND))
    system.take(funding(0.0003, settled=True, at=START + 8 * HOUR))
    system.take(quote(60_060.0, 60_060.0, at=START + 10 * HOUR))
    closed = system.of(ShadowClosed)[-1]
    assert closed.exit_reason == "time"
    assert closed.funding_bp == pytest.approx(-3.0)
    assert closed.net_bp == pytest.approx(10.0 - 11.0 - 3.0, abs=1e-6)


@pytest.mark.parametrize(
    ("code", "follows", "promotes"),
    [
        (ReasonCode.EDGE_UNPROVEN, True, True),
        (ReasonCode.EDGE, True, False),
        (ReasonCode.MAX_POSITIONS, True, True),
        (ReasonCode.POSITION_SIZER_ZERO, True, True),
        (ReasonCode.CONFLICT, False, False),
        (ReasonCode.KILL_SWITCH, False, False),
        (ReasonCode.SIGNAL_EXPIRED, False, False),
    ],
)
def test_only_some_refusals_are_followed(code: ReasonCode, follows: bool, promotes: bool) -> None:
    """Refusals for activity, edge, capital, capacity are followed; failed plans never promote."""
    system, book = started()
    refuse(system, signal(), code)
    assert book.following == int(follows)
    if follows:
        system.take(quote(59_990.0, 60_000.0, at=START + SECOND))
        system.take(quote(59_000.0, 59_000.1, at=START + 2 * SECOND))
        assert system.of(ShadowClosed)[-1].promotes is promotes


def test_a_refused_pair_of_quotes_is_followed_on_both_sides() -> None:
    """One quote has the reason, the other is refused as its rest, in either order: both are seen.

    Of several on one side the nearest, which comes first, is followed.
    """
    for culprit in (0, 1):
        system, book = started()
        pair = [
            signal(
                "maker", side, number=leg, intent=Intent.QUOTE, style=OrderStyle.POST_ONLY,
                limit=limit, stop=stop, group="g", leg=leg, legs=3,
            )
            for leg, (side, limit, stop) in enumerate(
                (
                    (Side.BUY, 59_990.0, 59_000.0),
                    (Side.SELL, 60_010.0, 61_000.0),
                    (Side.BUY, 59_980.0, 59_000.0),
                )
            )
        ]  # fmt: skip
        codes = [ReasonCode.GROUP_INCOMPLETE] * 3
        codes[culprit] = ReasonCode.STRATEGY_INACTIVE
        system.take(*pair, *(refusal(one, code) for one, code in zip(pair, codes, strict=True)))
        assert {(one.side, one.limit) for one in book.followed()} == {
            (Side.BUY, 59_990.0), (Side.SELL, 60_010.0),
        }  # fmt: skip


def test_a_failed_plan_never_promotes_whatever_refused_it() -> None:
    """Refused for inactivity with a plan that fails, a signal is followed and does not promote."""
    system, _ = started()
    one = signal()
    system.take(one, replace(refusal(one), fails_plan=True))
    system.take(quote(59_990.0, 60_000.0, at=START + SECOND))
    system.take(quote(59_000.0, 59_000.1, at=START + 2 * SECOND))
    assert [closed.promotes for closed in system.of(ShadowClosed)] == [False]


def test_nothing_is_followed_without_a_stop() -> None:
    """A signal without a stop has no R and is not followed."""
    system, book = started()
    refuse(system, signal(stop=None), ReasonCode.STRATEGY_INACTIVE)
    assert book.following == 0


def test_a_group_is_followed_as_one() -> None:
    """Both legs enter and leave together at the group's stop, as one outcome."""
    system, book = started()
    legs: list[Signal] = []
    for leg, (name, side, limit) in enumerate(
        ((BTC, Side.BUY, 60_000.0), (ETH, Side.SELL, 3_000.0))
    ):
        one = signal(
            "pair",
            side,
            number=leg,
            intent=Intent.LEG,
            limit=limit,
            stop=None,
            targets=(),
            group="g",
            leg=leg,
            legs=2,
            instrument=name,
        )
        legs.append(replace(one, group_stop_bp=50.0))
    system.take(*legs, *(refusal(one) for one in legs))
    assert book.following == 1
    beat = Heartbeat(ts_event=0, ts_init=START + SECOND, interval_ns=SECOND)
    system.take(quote(60_000.0, 60_000.0), quote(3_000.0, 3_000.0, instrument=ETH), beat)
    system.take(
        quote(59_400.0, 59_400.0, at=START + 2 * SECOND),
        Heartbeat(ts_event=0, ts_init=START + 2 * SECOND, interval_ns=SECOND),
    )
    closed = system.of(ShadowClosed)
    assert len(closed) == 1
    assert closed[0].group == "g"
    assert closed[0].gross_bp == pytest.approx(-100.0)
    assert closed[0].fees_bp == pytest.approx(2 * 5.5 + 2 * 7.5)
    assert book.following == 0


def test_a_restart_goes_on_following() -> None:
    """What is followed survives a snapshot, price bands included."""
    system, book = started()
    refuse(system, signal())
    system.take(quote(59_990.0, 60_000.0, at=START + SECOND))
    book.restore(book.snapshot())
    system.take(quote(60_100.0, 60_100.1, at=START + 2 * SECOND))
    assert book.following == 1
    system.take(quote(60_600.1, 60_600.2, at=START + 3 * SECOND))
    assert system.of(ShadowClosed)[-1].exit_reason == "target"


def test_on_bars_a_taker_meets_the_quote_in_force_when_it_arrives() -> None:
    """Refused at a bar's close, an IOC enters at the next bar's open, not a bar later."""
    system, _ = started()
    system.take(quote(60_000.0, 60_000.1, synthetic=True))
    refuse(system, signal())
    system.take(quote(59_990.0, 59_990.1, synthetic=True))
    system.take(quote(61_000.0, 61_000.1, at=START + 5 * MINUTE, synthetic=True))
    system.take(bar(61_000.0, high=61_000.0, low=59_000.0, at=START + 5 * MINUTE))
    closed = system.of(ShadowClosed)[-1]
    assert closed.entry_price == 59_990.1
    assert closed.opened_at == START + 150_000_000


def test_on_bars_a_refused_group_of_takers_is_followed_to_its_end() -> None:
    """Two legs that both take fill at the opening quotes and end by their time stop."""
    system, book = started()
    system.take(quote(60_000.0, 60_000.1, synthetic=True))
    system.take(quote(3_000.0, 3_000.1, instrument=ETH, synthetic=True))
    one = replace(
        signal(stop=None, targets=(), limit=60_010.0),
        intent=Intent.LEG, group="g", legs=2, group_stop_bp=100.0, time_stop_ns=HOUR,
    )  # fmt: skip
    other = replace(
        one, signal_id="other", instrument=ETH, side=Side.SELL, limit=2_999.0, leg=1, release_leg=0
    )
    system.take(one, other, refusal(one), refusal(other))
    system.take(Heartbeat(ts_event=0, ts_init=START + 2 * HOUR, interval_ns=5 * MINUTE))
    closed = system.of(ShadowClosed)[-1]
    assert closed.exit_reason == "time"
    assert closed.opened_at == START + 150_000_000
    assert closed.fees_bp == pytest.approx(2 * (5.5 + 7.5))
    assert book.following == 0
