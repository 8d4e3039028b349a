"""I5, I6 and C1: bursts, closes that fail, midnight, and accounts with nothing in them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from hean.app.venues.admission import Refusal
from hean.core.errors import SettingsError
from hean.core.events import (
    Intent,
    KillSwitchTripped,
    OrderFilled,
    OrderRequest,
    OrderStyle,
    PositionClosed,
    PositionOpened,
    ReasonCode,
    Side,
    Signal,
    SignalRejected,
)
from hean.core.testing import BTC, ETH, SECOND, SOL

from .bursts import critical_burst, market_burst, signal_burst
from .composed import ALPHA_AND_BETA, Composed
from .outage import check_outcomes, check_protected, wind_up

DAY = 86_400 * SECOND


def test_a_burst_of_market_events() -> None:
    """I5: 5,000 quotes of one instant, one of them through the stop, close once and lose none."""
    composed = Composed()
    composed.take(composed.signal(BTC))
    composed.beat(2)
    market_burst(composed, 5_000)
    composed.beat(2)
    assert [one.exit_reason for one in composed.of(PositionClosed)] == ["stop"]
    composed.check_flat()
    check_outcomes(composed)


def test_a_burst_of_signals() -> None:
    """I5: of 1,000 signals of one dispatch each has one outcome, and slots and limits hold."""
    composed = Composed(RISK__MAX_POSITIONS="2")
    signal_burst(composed, 1_000)
    composed.beat(2)
    check_outcomes(composed)
    assert composed.system.tracker.statistics().peak <= 2
    assert len(composed.of(Signal)) == 1_000
    assert len(composed.requests()) == 2
    check_protected(composed)
    wind_up(composed)


def test_a_burst_of_reports() -> None:
    """I5: 2,000 reports, each doubled or of orders nobody sent, leave the books as they were."""
    composed = Composed()
    composed.take(composed.signal(BTC))
    composed.beat(2)
    before = composed.system.wallet, composed.held(), composed.system.tracker.counts()
    critical_burst(composed, 2_000)
    composed.beat(2)
    assert (composed.system.wallet, composed.held(), composed.system.tracker.counts()) == before
    check_protected(composed)
    wind_up(composed)


@pytest.mark.parametrize("refusals", [1, 3])
def test_a_close_that_fails_is_tried_again(refusals: int) -> None:
    """I6: FLATTEN repeats what the venue refused, with new ids, until the account is flat."""
    composed = Composed()
    composed.take(composed.signal(BTC), composed.signal(ETH, Side.SELL, strategy="beta"))
    composed.beat(2)
    desk = composed.system.venue._desk  # pyright: ignore[reportPrivateUsage]
    admit, refused = desk.admit, list[OrderRequest]()

    def refuse(request: OrderRequest) -> None:
        if request.instrument == BTC and len(refused) < refusals:
            refused.append(request)
            desk.reporter.rejected(request, Refusal("10006", "too many visits"))
        else:
            admit(request)

    desk.admit = refuse
    composed.command("flatten")
    composed.beat(30)
    assert len(composed.of(KillSwitchTripped)) == 1
    assert len({one.client_order_id for one in refused}) == refusals
    composed.check_flat()
    assert len(composed.of(PositionClosed)) == 2


@pytest.mark.parametrize("parts", [2, 5])
def test_partial_fills_add_up_across_a_restart(parts: int) -> None:
    """I6: a resting order fills in parts, the system dies between two, and nothing is lost."""
    composed = Composed()
    composed.take(composed.signal(BTC, style=OrderStyle.POST_ONLY))
    composed.beat(1)
    order = composed.requests()[0]
    composed.print_at(BTC, 60_000.0, 50.0, Side.SELL)
    each = float(order.quantity) / parts
    for number in range(parts):
        composed.print_at(BTC, 60_000.0, each + 0.0005, Side.SELL)
        composed.system.kernel.advance(composed.system.agenda.now + SECOND // 5)
        if number == parts // 2:
            composed.restart()
    composed.beat(12)
    check_protected(composed)
    filled = {one.fill_id: one.quantity for one in composed.of(OrderFilled)}
    assert composed.held() == sum(filled.values(), Decimal(0)) > 0
    wind_up(composed)


def test_the_clock_runs_over_midnight_with_a_position_open() -> None:
    """I6: at 00:00 the day's references start anew, and the position keeps stop, slot and books."""
    composed = Composed()
    composed.take(composed.signal(BTC))
    composed.beat(2)
    now = composed.system.agenda.now
    composed.system.kernel.advance(now + DAY - now % DAY - 5 * SECOND)
    composed.beat(70)
    assert composed.system.agenda.now // DAY > now // DAY
    check_protected(composed)
    assert composed.held() > 0
    composed.take(composed.signal(ETH, strategy="beta"))
    composed.beat(2)
    assert len(composed.of(PositionOpened)) == 2
    wind_up(composed)


def test_an_account_of_nothing_opens_nothing() -> None:
    """C1: with capital 0 every budget is 0 and every signal is refused; no number breaks."""
    composed = Composed(INITIAL_CAPITAL="0")
    for strategy in ("alpha", "beta"):
        composed.take(composed.signal(BTC, strategy=strategy))
        composed.take(composed.signal(BTC, intent=Intent.CLOSE, strategy=strategy))
    composed.beat(70)
    assert composed.requests() == []
    codes = {one.code for one in composed.of(SignalRejected)}
    assert codes <= {ReasonCode.ENTRIES_HALTED, ReasonCode.STRATEGY_INACTIVE}
    envelope = composed.system.risk.sentinel.envelope()
    assert (envelope.equity, envelope.budgets_sum, envelope.entries_allowed) == (0, 0, False)
    composed.check_flat()
    check_outcomes(composed)


def test_nothing_enabled_runs_and_holds_all_in_cash() -> None:
    """C1: without a strategy the system runs, and its envelope hands out nothing."""
    composed = Composed(profiles=())
    composed.beat(70)
    envelope = composed.system.risk.sentinel.envelope()
    assert (envelope.budgets_sum, envelope.strategies) == (0, ())
    assert composed.of(SignalRejected) == []
    composed.check_flat()


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_active_get_the_cap(count: int) -> None:
    """C1: one gets 40 % of 20,000 and the rest stays cash; two get 40 % each."""
    composed = Composed(profiles=ALPHA_AND_BETA[:count])
    envelope = composed.system.risk.sentinel.envelope()
    assert [one.budget for one in envelope.strategies] == [Decimal(8_000)] * count
    composed.take(composed.signal(SOL))
    composed.beat(2)
    check_protected(composed)
    wind_up(composed)


def test_floors_above_the_sum_are_refused_at_load() -> None:
    """C1: eight floors of 12 % do not fit into 80 %, so the settings do not load."""
    with pytest.raises(SettingsError, match="MIN_STRATEGY_WEIGHT"):
        Composed(MIN_STRATEGY_WEIGHT="0.12")
