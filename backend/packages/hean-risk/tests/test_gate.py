from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hean.config import HEANSettings
from hean.core.events.decision import OrderRequest, SignalRejected, SignalWithdrawn
from hean.core.events.market import Side
from hean.core.events.reasons import ReasonCode
from hean.core.events.strategy import Intent, OrderStyle, Signal
from hean.core.events.system import RunStarted
from hean.core.testing import (
    BTC,
    BTC_SPOT,
    ETH,
    SECOND,
    SOL,
    btc_spot,
    cancelled,
    filled,
    position_opened,
    profile,
    quote,
    rejected,
    signal,
    unknown,
)
from hean.risk import RiskSettings
from hean.risk.testing import RiskSystem


def want(
    system: RiskSystem,
    strategy: str = "alpha",
    side: Side = Side.BUY,
    *,
    instrument: str = ETH,
    number: int = 1,
    intent: Intent = Intent.OPEN,
    **changes: object,
) -> Signal:
    """Take an entry of 3,500 (ETH), 200 (SOL) or 60,000 with a 2 % stop; return its signal."""
    price = {ETH: 3_500.0, SOL: 200.0}.get(instrument, 60_000.0)
    away = 0.02 * side.sign
    found = signal(
        strategy,
        side,
        number=number,
        intent=intent,
        limit=price,
        stop=price * (1 - away),
        targets=(price * (1 + 3 * away),),
        instrument=instrument,
        at=system.now,
    )
    found = replace(found, **changes)
    system.take(found)
    return found


def last_code(system: RiskSystem) -> ReasonCode:
    """Return the code of the newest refusal."""
    return system.of(SignalRejected)[-1].code


def test_an_entry_becomes_an_order_with_stop_and_risk() -> None:
    """A signal that passes becomes one order: its id, prices on the grid, R within the budget."""
    system = RiskSystem("alpha")
    found = want(system)
    (order,) = system.orders()
    assert order.client_order_id == "h" + found.signal_id
    assert (order.price, order.protective_stop) == (Decimal("3500.00"), Decimal("3430.00"))
    assert order.risk <= Decimal("1.5")
    assert order.quantity % Decimal("0.01") == 0
    assert system.tracker.holds("alpha", ETH)


@pytest.mark.parametrize(
    "changes",
    [
        {"style": OrderStyle.MARKET},
        {"limit": None},
        {"limit": float("nan")},
        {"limit": float("inf")},
        {"scale": 1.3},
        {"scale": float("nan")},
        {"confidence": 1.1},
        {"strength": -0.1},
        {"targets": (float("nan"),)},
        {"instrument": "XRPUSDT-PERP.BYBIT"},
        {"ttl_ns": -1},
    ],
)
def test_malformed_signals_are_refused(changes: dict[str, object]) -> None:
    """What is no order is refused as INVALID_SIGNAL at the first layer."""
    system = RiskSystem("alpha")
    want(system, **changes)  # pyright: ignore[reportArgumentType]
    (refused,) = system.of(SignalRejected)
    assert (refused.layer, refused.code) == ("SIGNAL", ReasonCode.INVALID_SIGNAL)


def test_an_old_signal_has_expired() -> None:
    """A signal handled later than its TTL is refused with its age."""
    system = RiskSystem("alpha")
    late = want(system, ts_init=system.now, signal_id="x")
    system.advance(6)
    system.bus.dispatch(replace(late, signal_id="y"))
    assert last_code(system) is ReasonCode.SIGNAL_EXPIRED
    assert system.of(SignalRejected)[-1].number == 6.0


def test_warm_up_signals_are_refused_and_not_counted() -> None:
    """Before the history ends signals are WARMING_UP and leave no count."""
    system = RiskSystem("alpha")
    system.take(
        RunStarted(
            ts_event=system.now,
            ts_init=system.now,
            run_id="r",
            mode="paper",
            feed="f",
            seed=0,
            settings_sha256="",
            history_until=system.now + 1,
        )
    )
    want(system)
    assert last_code(system) is ReasonCode.WARMING_UP
    assert system.risk.gate.statistics().signals == 0


def test_inactive_strategies_are_refused() -> None:
    """Who is not in the active set opens nothing."""
    system = RiskSystem("alpha", "beta")
    system.activate("beta")
    want(system)
    assert last_code(system) is ReasonCode.STRATEGY_INACTIVE


def test_a_zero_is_refused_with_its_cap_and_budget() -> None:
    """A quantity of zero is POSITION_SIZER_ZERO under the cap's name, with what would suffice."""
    system = RiskSystem(*[f"s{index}" for index in range(8)])
    want(system, "s0", instrument=BTC)
    (refused,) = system.of(SignalRejected)
    assert refused.code is ReasonCode.POSITION_SIZER_ZERO
    assert refused.layer == "sizer.min_quantity"
    assert refused.sentence.startswith("needs ")
    assert refused.number < refused.limit == 0.001


def test_a_stop_that_is_no_price_is_no_stop() -> None:
    """NaN, missing, negative or crossed stops are NO_STOP."""
    system = RiskSystem("alpha")
    for number, stop in enumerate((None, float("nan"), -1.0, 3_600.0)):
        want(system, number=number, stop=stop)
        assert last_code(system) is ReasonCode.NO_STOP


def test_a_second_position_is_refused_while_the_first_works_or_holds() -> None:
    """OPEN needs the (strategy, instrument) to be free, an unknown order included."""
    system = RiskSystem("alpha")
    want(system)
    want(system, number=2)
    assert last_code(system) is ReasonCode.POSITION_EXISTS
    system.take(unknown(system.orders()[0], at=system.now))
    want(system, number=3)
    assert last_code(system) is ReasonCode.POSITION_EXISTS
    system.open(system.orders()[0])
    want(system, number=4)
    assert last_code(system) is ReasonCode.POSITION_EXISTS
    assert len(system.orders()) == 1


def test_opposite_openings_within_five_seconds_conflict() -> None:
    """The first of two opposite openings stands; after five seconds the second may come."""
    system = RiskSystem("alpha", "beta")
    want(system)
    want(system, "beta", Side.SELL)
    assert last_code(system) is ReasonCode.CONFLICT
    system.advance(5)
    system.tick()
    want(system, "beta", Side.SELL, number=2)
    assert len(system.orders()) == 2


def test_spot_is_not_sold_short_without_the_flag() -> None:
    """Opening sales of spot are NO_BORROW unless the venue lends the coin."""
    for borrowable, expected in ((False, 0), (True, 1)):
        system = RiskSystem("alpha", instruments=[btc_spot(borrowable=borrowable)])
        system.take(quote(instrument=BTC_SPOT, at=system.now))
        want(system, side=Side.SELL, instrument=BTC_SPOT)
        assert len(system.orders()) == expected


def test_orders_and_positions_are_limited() -> None:
    """MAX_ORDERS and MAX_POSITIONS refuse at their limits."""
    system = RiskSystem("alpha", "beta", section=RiskSettings(max_orders=1))
    want(system)
    want(system, "beta", instrument=SOL)
    assert last_code(system) is ReasonCode.MAX_ORDERS
    system = RiskSystem("alpha", "beta", section=RiskSettings(max_positions=1))
    want(system)
    want(system, "beta", instrument=SOL)
    assert last_code(system) is ReasonCode.MAX_POSITIONS


def test_a_near_target_is_refused_where_the_limit_is_on() -> None:
    """A first target of 3 stops passes a limit of 2 and fails one of 4."""
    for limit, count in ((2.0, 1), (4.0, 0)):
        system = RiskSystem("alpha", section=RiskSettings(min_reward_risk=limit))
        want(system)
        assert len(system.orders()) == count


def test_enforce_refuses_the_unproven_and_observe_records_it() -> None:
    """The same signal is EDGE_UNPROVEN under enforce and an order with a note under observe."""
    system = RiskSystem("alpha", settings=HEANSettings(edge_guard="enforce"))
    want(system)
    assert last_code(system) is ReasonCode.EDGE_UNPROVEN
    system = RiskSystem("alpha")
    want(system)
    assert "would_refuse.EDGE_UNPROVEN" in dict(system.orders()[0].size_factors)


def test_directional_plans_must_pay() -> None:
    """Under enforce a directional stop below twice the cost is EDGE, with both numbers."""
    system = RiskSystem(
        profile("alpha", directional=True), settings=HEANSettings(edge_guard="enforce")
    )
    want(system, stop=3_500.0 * 0.999, cost_bp=10.0)
    refused = system.of(SignalRejected)[-1]
    assert (refused.code, round(refused.number, 6), refused.limit) == (ReasonCode.EDGE, 10.0, 20.0)


def test_close_cancels_entries_and_closes_what_is_held() -> None:
    """CLOSE mints one reduce-only order of the position; with only an entry it withdraws that."""
    system = RiskSystem("alpha")
    want(system)
    want(system, number=2, intent=Intent.CLOSE, style=OrderStyle.MARKET, limit=None)
    (withdrawn,) = system.of(SignalWithdrawn)
    assert withdrawn.cancels == (system.orders()[0].client_order_id,)
    system = RiskSystem("alpha")
    want(system)
    system.open(system.orders()[0])
    want(system, number=2, intent=Intent.CLOSE, style=OrderStyle.MARKET, limit=None)
    close = system.orders()[1]
    assert (close.side, close.quantity) == (Side.SELL, system.orders()[0].quantity)
    assert close.reduce_only
    assert close.price is None


def test_a_second_close_never_closes_twice() -> None:
    """While a market close works another CLOSE finds nothing to close."""
    system = RiskSystem("alpha")
    want(system)
    system.open(system.orders()[0])
    for number in (2, 3):
        want(system, number=number, intent=Intent.CLOSE, style=OrderStyle.MARKET, limit=None)
    assert len(system.orders()) == 2
    assert system.of(SignalWithdrawn)[-1].reason == "nothing to close"


def test_reduce_takes_whole_lots_of_the_fraction() -> None:
    """Half of 0.02 ETH is 0.01; half of one lot is POSITION_SIZER_ZERO."""
    system = RiskSystem("alpha", capital="600")
    want(system)
    system.open(system.orders()[0])
    assert system.orders()[0].quantity == Decimal("0.04")
    want(system, number=2, intent=Intent.REDUCE, scale=0.3, style=OrderStyle.MARKET, limit=None)
    assert system.orders()[1].quantity == Decimal("0.01")
    want(system, number=3, intent=Intent.REDUCE, scale=0.2, style=OrderStyle.MARKET, limit=None)
    assert last_code(system) is ReasonCode.POSITION_SIZER_ZERO


def test_opposing_positions_close_without_touching_each_other() -> None:
    """With a larger opposite position a close is not reduce-only: it enlarges the venue's net."""
    system = RiskSystem("alpha", "beta", capital="600")
    for name, quantity in (("alpha", "0.02"), ("beta", "-0.03")):
        system.take(
            position_opened(name, quantity=quantity, price="3500", instrument=ETH, at=system.now)
        )
    want(system, intent=Intent.CLOSE, style=OrderStyle.MARKET, limit=None)
    assert not system.orders()[0].reduce_only
    assert system.orders()[0].quantity == Decimal("0.02")


NAMES = ("alpha", "beta", "gamma")
ACTIONS = st.tuples(
    st.sampled_from(["open", "close", "reduce", "quote", "fill", "reject", "cancel", "unknown",
                     "wait", "loss"]),
    st.sampled_from(NAMES),
    st.sampled_from([ETH, SOL]),
    st.sampled_from(list(Side)),
)  # fmt: skip


def check_limits(system: RiskSystem) -> None:
    """Assert every limit of the book as it stands."""
    exposure, sentinel = system.risk.exposure, system.risk.sentinel
    sentinel.refresh()
    equity = sentinel.state.equity
    slack = Decimal("1e-6")
    assert system.tracker.occupied <= system.section.max_positions
    assert exposure.entries <= system.section.max_orders
    assert exposure.gross <= 2 * equity + slack
    for tally in exposure.by_instrument.values():
        most = max(tally.net + tally.buys, tally.sells - tally.net)
        assert most <= Decimal("0.75") * equity + slack


@settings(max_examples=60, deadline=None)
@given(st.lists(ACTIONS, max_size=25))
@example([("open", "alpha", ETH, Side.BUY)] + 3 * [("quote", "alpha", ETH, Side.BUY)])
def test_every_signal_gets_one_decision_and_every_limit_holds(
    actions: list[tuple[str, str, str, Side]],
) -> None:
    """P3, P4, P5, P8: one decision a signal; after each minted entry all limits hold."""
    system = RiskSystem(*NAMES, section=RiskSettings(max_positions=3))
    signals = 0
    for number, (kind, name, instrument, side) in enumerate(actions):
        working = [
            one
            for one in system.orders()
            if one.client_order_id in system.risk.exposure.orders and one.intent is Intent.OPEN
        ]
        market = {"style": OrderStyle.MARKET, "limit": None}
        before = len(system.orders())
        match kind:
            case "open":
                want(system, name, side, instrument=instrument, number=number)
            case "close" | "reduce":
                intent = Intent.CLOSE if kind == "close" else Intent.REDUCE
                want(system, name, side, instrument=instrument, number=number, intent=intent,
                     scale=0.5, **market)  # fmt: skip
            case "quote":
                want(system, name, side, instrument=instrument, number=number,
                     intent=Intent.QUOTE, style=OrderStyle.POST_ONLY, group="q")  # fmt: skip
            case "fill" if working:
                system.open(working[0])
            case "reject" if working:
                system.take(rejected(working[0], at=system.now))
            case "cancel" if working:
                system.take(cancelled(working[-1], at=system.now))
            case "unknown" if working:
                system.take(unknown(working[0], at=system.now))
            case "loss":
                system.equity(nav=max(0.75, system.nav - 0.02))
            case _:
                system.advance(3)
                system.tick()
        signals += kind in ("open", "close", "reduce", "quote")
        minted = system.orders()[before:]
        assert all(one.quantity > 0 for one in minted)
        if any(not one.reduce_only and not one.cause for one in minted):
            check_limits(system)
    ids = [one.signal_id for one in system.of(Signal)]
    answers = [one.signal_id for one in system.of(OrderRequest)]
    answers += [one.signal_id for one in system.of(SignalRejected)]
    answers += [one.signal_id for one in system.of(SignalWithdrawn)]
    assert sorted(ids) == sorted(one for one in answers if one)
    assert len(ids) == signals
    counts = system.risk.gate.statistics()
    assert counts.signals == signals == counts.orders + counts.rejected + counts.withdrawn


def test_decisions_are_the_same_bytes_in_every_run() -> None:
    """The same inputs give the same orders and envelopes, byte for byte."""
    from hean.core.events.union import encode

    def run() -> list[bytes]:
        system = RiskSystem("alpha", "beta")
        want(system)
        system.open(system.orders()[0])
        want(system, "beta", Side.SELL, instrument=SOL)
        system.take(filled(system.orders()[1], at=system.now + SECOND))
        system.equity(nav=0.88)
        return [encode(one) for one in system.recorder.events]

    assert run() == run()


def test_a_signal_sized_to_zero_counts_in_the_size_factor() -> None:
    """The planner's k is the median over what was refused for its size as much as over orders."""
    system = RiskSystem("alpha", capital="100")
    for number in range(50):
        want(system, instrument=BTC, number=number, confidence=0.0001)
        assert system.of(SignalRejected)[-1].code is ReasonCode.POSITION_SIZER_ZERO
    found = {one.strategy: one.size_factor for one in system.risk.sentinel.envelope().strategies}
    assert found["alpha"] == pytest.approx(0.5, abs=1e-3)
