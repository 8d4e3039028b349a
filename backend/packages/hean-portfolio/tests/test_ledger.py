from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from hean.core.events import (
    EquityUpdated,
    FillKind,
    FundingPaid,
    Intent,
    Liquidity,
    OrderFilled,
    PositionChange,
    PositionChanged,
    PositionClosed,
    PositionOpened,
    ReconciliationBreak,
    Side,
)
from hean.core.testing import (
    BTC,
    HOUR,
    SECOND,
    START,
    btc_spot,
    filled,
    funding,
    instrument_updated,
    mark,
    order_request,
    quote,
    signal,
)
from hean.portfolio import EXTERNAL

from .scenes import SPOT, ZERO, booted, fill_of, summed


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_opening_at_the_mark_costs_the_fee_alone(side: Side) -> None:
    """A1: opening at the mark lowers equity by the fee and nothing else, long and short."""
    system, portfolio = booted()
    system.take(fill_of("s1", side, "0.01", "100000", number=1, fee="0.55"))
    assert portfolio.equity.equity == Decimal("299.45")
    assert system.of(EquityUpdated)[-1].wallet == Decimal("299.45")
    assert system.of(EquityUpdated)[-1].unrealised == 0


def test_opposing_strategies_split_results_unlike_the_venue() -> None:
    """A4: two opposite positions net to zero; the venue shows +10, the books agree on equity."""
    system, portfolio = booted()
    system.take(
        fill_of("s1", Side.BUY, "0.01", "100000", number=1),
        fill_of("s2", Side.SELL, "0.01", "101000", number=2),
    )
    ledger = portfolio.ledger
    assert len(list(ledger.positions())) == 2
    assert ledger.books[BTC].quantity == 0
    assert ledger.accounts.net_realised == 10
    assert ledger.accounts.realised == 0
    assert ledger.venue_wallet == 310
    assert portfolio.equity.equity == 310


def test_partial_closes_leak_no_rounding() -> None:
    """Costs leave on the 1e-8 grid by difference, so a closed position realises its cash flows."""
    system, portfolio = booted()
    system.take(
        fill_of("s1", Side.BUY, "0.003", "100000.1", number=1),
        fill_of("s1", Side.BUY, "0.004", "99999.7", number=2),
        fill_of("s1", Side.SELL, "0.003", "100100.3", number=3),
        fill_of("s1", Side.SELL, "0.003", "100200.9", number=4),
        fill_of("s1", Side.SELL, "0.001", "100000", number=5),
    )
    cash = Decimal("0.003") * (Decimal("100100.3") + Decimal("100200.9")) + 100
    cash -= Decimal("0.003") * Decimal("100000.1") + Decimal("0.004") * Decimal("99999.7")
    assert portfolio.ledger.accounts.realised == cash
    assert portfolio.ledger.accounts.net_realised == cash
    closed = system.of(PositionClosed)[-1]
    assert closed.gross == cash
    assert closed.quantity == Decimal("0.007")


def test_a_fill_through_zero_closes_and_opens() -> None:
    """A fill that crosses zero closes and then opens under the same fill id, the fee split."""
    system, portfolio = booted()
    system.take(
        fill_of("s1", Side.BUY, "0.01", "100000", number=1, fee="0.5"),
        fill_of("s1", Side.SELL, "0.03", "100100", number=2, fee="0.9"),
    )
    closed, opened = system.of(PositionClosed)[-1], system.of(PositionOpened)[-1]
    assert closed.net == Decimal("1") - Decimal("0.5") - Decimal("0.3")
    assert opened.quantity == Decimal("-0.02")
    assert opened.fill_id == closed.fill_id == "x2"
    assert portfolio.ledger.accounts.fees == Decimal("1.4")


def test_a_fill_is_booked_once() -> None:
    """A duplicate fill changes nothing; the same id with another content is a break."""
    system, portfolio = booted()
    fill = fill_of("s1", Side.BUY, "0.01", "100000", number=1, fee="0.5")
    system.take(fill, fill)
    before = portfolio.ledger.balances()
    system.take(fill_of("s1", Side.BUY, "0.02", "100000", number=1, fee="0.5"))
    assert portfolio.ledger.balances() == before
    (broken,) = system.of(ReconciliationBreak)
    assert broken.subject == "fill x1, same execution id with another content"
    assert not broken.explanation


def test_r_is_shared_by_fills_and_outcomes_count_in_it() -> None:
    """A partial fill carries its share of R, and the outcome divides by all of what was entered."""
    system, _ = booted()
    order = order_request("s1", quantity="0.004", price="100000", risk="2")
    system.take(order, filled(order, quantity="0.001", fee_rate="0"))
    assert system.of(PositionOpened)[-1].risk == Decimal("0.5")
    system.take(filled(order, quantity="0.003", before="0.001", fee_rate="0"))
    assert system.of(PositionChanged)[-1].risk == 2
    system.take(fill_of("s1", Side.SELL, "0.002", "99000", number=7))
    assert system.of(PositionChanged)[-1].risk == 1
    system.take(fill_of("s1", Side.SELL, "0.002", "101000", number=8))
    closed = system.of(PositionClosed)[-1]
    assert closed.risk == 2
    assert closed.net == 0
    assert closed.r_multiple == 0.0
    assert closed.mae_r == pytest.approx(-2.0)
    assert closed.signal_id == order.signal_id


def test_the_exit_reason_is_the_closing_signals() -> None:
    """A close carries the reason of the signal that asked for it, a protective fill says stop."""
    system, _ = booted()
    first = order_request("s1", number=1, quantity="0.01", price="100000")
    system.take(first, filled(first))
    leaving = signal("s1", Side.SELL, number=2, intent=Intent.CLOSE)
    named = replace(leaving, reason="target")
    second = order_request("s1", Side.SELL, number=2, intent=Intent.CLOSE, quantity="0.01")
    system.take(named, second, filled(second))
    assert system.of(PositionClosed)[-1].exit_reason == "target"


def test_funding_is_charged_at_the_stamp_to_each_position() -> None:
    """A6: +0.5 and -0.2 with 9.6 paid on net 0.3 are charged -16 and +6.4; rounding stays 0."""
    system, portfolio = booted("100000")
    stamp = START + 8 * HOUR
    system.take(
        fill_of("s1", Side.BUY, "0.5", "100000", number=1),
        fill_of("s2", Side.SELL, "0.2", "100000", number=2),
        mark(100_000.0, at=stamp),
        funding(0.00032, settled=True, at=stamp),
    )
    charged = {
        one.strategy: one.amount
        for one in system.of(PositionChanged)
        if one.change is PositionChange.FUNDING
    }
    assert charged == {"s1": Decimal(-16), "s2": Decimal("6.4")}
    wallet = portfolio.ledger.wallet
    assert portfolio.ledger.accounts.suspense == Decimal("-9.6")
    paid = FundingPaid(
        ts_event=stamp,
        ts_init=stamp + SECOND,
        instrument=BTC,
        stamp=stamp,
        rate=0.00032,
        mark=Decimal(100_000),
        quantity=Decimal("0.3"),
        amount=Decimal("-9.6"),
    )
    system.take(paid, paid)
    assert portfolio.ledger.accounts.suspense == 0
    assert portfolio.ledger.accounts.rounding == 0
    assert portfolio.ledger.wallet == wallet == Decimal("99990.4")


def test_net_zero_funding_sums_to_zero_without_a_payment() -> None:
    """Opposing positions of equal size are charged amounts that cancel exactly."""
    system, portfolio = booted("1000")
    stamp = START + 8 * HOUR
    system.take(
        fill_of("s1", Side.BUY, "0.1", "100000", number=1),
        fill_of("s2", Side.SELL, "0.1", "100000", number=2),
        mark(99_999.123_456_789, at=stamp),
        funding(0.000_123_456_789_012_3, settled=True, at=stamp),
    )
    assert portfolio.ledger.accounts.suspense == 0
    assert portfolio.ledger.totals()["s1"].funding == -portfolio.ledger.totals()["s2"].funding


@pytest.mark.parametrize("paid_first", [False, True])
def test_a_late_fill_gets_the_funding_of_its_stamp(paid_first: bool) -> None:
    """A fill executed before a booked stamp is charged for it, whenever it arrives."""
    system, portfolio = booted("1000")
    stamp = START + 8 * HOUR
    early = fill_of("s1", Side.BUY, "0.01", "100000", number=1, at=stamp - SECOND)
    paid = FundingPaid(
        ts_event=stamp,
        ts_init=stamp,
        instrument=BTC,
        stamp=stamp,
        rate=0.0001,
        mark=Decimal(100_000),
        quantity=Decimal("0.01"),
        amount=Decimal("-0.1"),
    )
    system.take(mark(100_000.0, at=stamp), funding(0.0001, settled=True, at=stamp))
    system.take(*([paid, early] if paid_first else [early, paid]))
    assert portfolio.ledger.totals()["s1"].funding == Decimal("-0.1")
    assert portfolio.ledger.accounts.rounding == 0
    assert portfolio.ledger.accounts.suspense == 0
    assert portfolio.ledger.wallet == Decimal("999.9")


def test_a_liquidation_is_shared_pro_rata() -> None:
    """A forced execution reduces the positions on its side pro rata, each share its own fill."""
    system, portfolio = booted("100000")
    system.take(
        fill_of("s1", Side.BUY, "0.3", "100000", number=1),
        fill_of("s2", Side.BUY, "0.1", "100000", number=2),
        fill_of("s3", Side.SELL, "0.1", "100000", number=3),
        fill_of("", Side.SELL, "0.3", "90000", number=4, kind=FillKind.LIQUIDATION, fee="8"),
    )
    held = {one.strategy: one.quantity for one in portfolio.ledger.positions()}
    assert held == {"s1": Decimal("0.075"), "s2": Decimal("0.025"), "s3": Decimal("-0.1")}
    assert portfolio.ledger.books[BTC].quantity == 0
    assert portfolio.ledger.accounts.fees == 8
    assert {one.fill_id for one in system.of(PositionChanged)} == {"x4-0", "x4-1"}


def test_spot_fee_in_base_coin_leaves_dust() -> None:
    """Less than a lot left by a base-coin fee is dust: in equity, not a position."""
    system, portfolio = booted("1000")
    bought = OrderFilled(
        ts_event=START,
        ts_init=START,
        fill_id="a",
        client_order_id="a",
        strategy="s1",
        instrument=SPOT,
        side=Side.BUY,
        price=Decimal(50_000),
        quantity=Decimal("0.0009990"),
        fee=Decimal("0.05"),
        base_fee=Decimal("0.000001"),
        liquidity=Liquidity.TAKER,
        filled=Decimal("0.001"),
        remaining=ZERO,
    )
    more = fill_of("s1", Side.BUY, "0.0000005", "50000", number=3, instrument=SPOT)
    sold = fill_of("s1", Side.SELL, "0.000999", "50000", number=2, instrument=SPOT)
    system.take(quote(50_000.0, 50_000.0, instrument=SPOT), bought)
    assert portfolio.ledger.venue_wallet == Decimal("1000") - Decimal("0.05") - Decimal("49.95")
    system.take(more, sold)
    assert list(portfolio.ledger.positions()) == []
    dust = (Decimal("0.0000005"), Decimal("0.025"))
    assert portfolio.ledger.books[SPOT].dust == {"s1": dust}
    assert portfolio.equity.equity == Decimal("999.95")
    assert len(system.of(PositionClosed)) == 1


@pytest.mark.parametrize(
    ("fee", "remaining", "stays"),
    [("0.000001", "0", False), ("0.000001", "0.000001", True), ("0.0001", "0", True)],
)
def test_what_a_fee_leaves_of_a_short_closes_with_it(fee: str, remaining: str, stays: bool) -> None:
    """What no order is small enough to cover is dust; what an order can or does cover stays."""
    system, portfolio = booted("1000")
    rules = replace(btc_spot(), min_quantity=Decimal("0.00005"))
    system.take(instrument_updated(rules))
    held = "0.001" if fee == "0.000001" else "0.1"
    sold = fill_of("s1", Side.SELL, held, "5000", number=1, instrument=SPOT)
    bought = fill_of(
        "s1", Side.BUY, str(Decimal(held) - Decimal(fee)), "5000", number=2, instrument=SPOT
    )
    system.take(quote(5_000.0, 5_000.0, instrument=SPOT), sold)
    system.take(replace(bought, base_fee=Decimal(fee), remaining=Decimal(remaining)))
    open_now = [one.quantity for one in portfolio.ledger.positions()]
    assert open_now == ([-Decimal(fee)] if stays else [])
    assert portfolio.ledger.books[SPOT].quantity == -Decimal(fee)
    assert portfolio.equity.equity == Decimal(1000)


def test_dust_of_both_signs_adds_up() -> None:
    """What a short and then a long leave behind are both in the books, not the newer alone."""
    system, portfolio = booted("1000")
    fills = [
        fill_of("s1", Side.SELL, "0.001", "5000", number=1, instrument=SPOT),
        fill_of("s1", Side.BUY, "0.0009997", "5000", number=2, instrument=SPOT),
        fill_of("s1", Side.BUY, "0.0010005", "5000", number=3, instrument=SPOT),
        fill_of("s1", Side.SELL, "0.001", "5000", number=4, instrument=SPOT),
    ]
    system.take(quote(5_000.0, 5_000.0, instrument=SPOT), *fills)
    book = portfolio.ledger.books[SPOT]
    assert list(portfolio.ledger.positions()) == []
    assert book.dust["s1"] == (Decimal("2E-7"), Decimal("0.001"))
    assert (book.quantity, portfolio.equity.equity) == (Decimal("2E-7"), Decimal(1000))


def test_the_next_position_takes_in_the_dust_of_the_last() -> None:
    """A strategy's PnL is that of one average-cost book over all its fills, to the last digit."""
    system, portfolio = booted("1000")
    prices = ("50000", "50100", "50300", "49900")
    quantity, cost, realised = ZERO, ZERO, ZERO
    for number, price in enumerate(prices):
        bought, sold = Decimal("0.0009993"), Decimal("0.0009990") + number // 3 * Decimal("1E-6")
        system.take(
            fill_of("s1", Side.BUY, str(bought), price, number=2 * number, instrument=SPOT),
            fill_of("s1", Side.SELL, str(sold), "50200", number=2 * number + 1, instrument=SPOT),
        )
        quantity, cost = quantity + bought, cost + bought * Decimal(price)
        freed = (cost * sold / quantity).quantize(Decimal("1E-8"))
        quantity, cost, realised = quantity - sold, cost - freed, realised + sold * 50200 - freed
    book = portfolio.ledger.books[SPOT]
    assert portfolio.ledger.totals()["s1"].realised == realised
    assert book.dust == {"s1": (quantity, cost)}
    assert book.cost == cost
    assert len(system.of(PositionClosed)) == len(prices)


def test_identity_of_the_wallet_holds_with_ugly_numbers() -> None:
    """W = start + realised + funding - fees holds exactly for marks and rates of any length."""
    system, portfolio = booted("1000")
    for number in range(1, 40):
        at = START + number * 8 * HOUR
        side = Side.BUY if number % 3 else Side.SELL
        system.take(
            fill_of(
                "s1",
                side,
                "0.001",
                f"{99_000 + number * 7}.3",
                number=number,
                fee="0.05417",
                at=at - SECOND,
            ),
            mark(99_000.0 + number * 7.123_456_7, at=at),
            funding(0.0001 + number * 1.7e-9, settled=True, at=at),
        )
    ledger, last = portfolio.ledger, system.of(EquityUpdated)[-1]
    accounts = ledger.accounts
    assert ledger.wallet - ledger.funding == 1000 + accounts.realised - accounts.fees
    assert last.wallet == ledger.wallet
    assert last.equity == last.wallet + last.unrealised
    assert summed(portfolio) == 0


def test_external_positions_belong_to_nobody_here() -> None:
    """A position the venue holds and nobody opened is taken into the books as EXTERNAL."""
    system, portfolio = booted()
    portfolio.ledger.adopt(BTC, Decimal("0.002"), Decimal(99_000))
    system.take(fill_of(EXTERNAL, Side.SELL, "0.002", "100000", number=1))
    assert portfolio.ledger.accounts.realised == 2
    assert list(portfolio.ledger.positions()) == []


def test_snapshot_between_fills_gives_the_same_books() -> None:
    """A7: books restored from bytes go on as if nothing had happened."""
    one_system, one = booted()
    two_system, two = booted()
    fills = [
        fill_of("s1", side, "0.003", f"{99_900 + n}", number=n, fee="0.1")
        for n in range(1, 20)
        for side in [Side.BUY if n % 3 else Side.SELL]
    ]
    for number, fill in enumerate(fills):
        one_system.take(fill)
        two_system.take(fill)
        if number % 4 == 0:
            states = [part.snapshot() for part in two.components]
            two_system, two = booted()
            for part, state in zip(two.components, states, strict=True):
                part.restore(state)
            two_system.take(fill)
    assert one.ledger.balances() == two.ledger.balances()
    assert one.equity.equity == two.equity.equity
