from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from hean.app.venues.margin_account import Margin, MarginAccount, tier_for
from hean.core.events import Side
from hean.core.instruments import MarginTier
from hean.core.testing import BTC, BTC_SPOT, btc_perpetual, btc_spot

D = Decimal
LOTS = st.integers(-50, 50).filter(bool)
TICKS = st.integers(100_000, 900_000)


def account(wallet: str = "1000") -> MarginAccount:
    """Build an account at leverage 5 that knows BTC."""
    found = MarginAccount(wallet=D(wallet), leverage=D(5), collateral_share=D("0.9"))
    found.learn(btc_perpetual())
    found.learn(btc_spot())
    return found


@given(fills=st.lists(st.tuples(LOTS, TICKS), max_size=40))
@settings(max_examples=150, deadline=None)
def test_wallet_and_cost_add_up_to_the_fills_cash(fills: list[tuple[int, int]]) -> None:
    """Wallet minus open cost is the start plus every fill's cash, to the last digit."""
    held, instrument = account(), btc_perpetual()
    cash, quantity = held.wallet, D(0)
    for lots, ticks in fills:
        signed, price = D(lots) * D("0.001"), D(ticks) * D("0.1")
        held.book(instrument, "alpha", signed, price, D("0.01"))
        cash -= signed * price + D("0.01")
        quantity += signed
    cost = held.holdings[BTC].cost if BTC in held.holdings else D(0)
    assert held.wallet - cost == cash
    assert held.net(BTC) == quantity


def test_opposing_strategies_net_and_keep_their_shares() -> None:
    """Two strategies on opposite sides leave no net position, and each its own share."""
    held = account()
    held.book(btc_perpetual(), "one", D("0.01"), D(100_000), D(0))
    held.book(btc_perpetual(), "two", D("-0.01"), D(101_000), D(0))
    assert held.net(BTC) == 0
    assert held.wallet == D(1010)
    assert (held.share(BTC, "one"), held.share(BTC, "two")) == (D("0.01"), D("-0.01"))


def test_margin_on_marks_by_leverage_and_tier() -> None:
    """Initial margin follows the leverage set, maintenance the tier, balance the mark."""
    held = account()
    held.book(btc_perpetual(), "one", D("0.01"), D(60_000), D(0))
    margin = held.margin(lambda _: D(61_000))
    assert margin == Margin(D(1010), D(122), D("3.05"))


def test_a_higher_tier_deducts_what_lower_ones_would_ask_less() -> None:
    """The tier is that of the whole value; beyond the last limit the last one holds."""
    low = MarginTier(limit=D(100), initial_rate=D("0.01"), maintenance_rate=D("0.005"))
    high = MarginTier(
        limit=D(200), initial_rate=D("0.02"), maintenance_rate=D("0.01"), deduction=D("0.5")
    )
    assert [tier_for((low, high), D(value)) for value in (100, 101, 999)] == [low, high, high]


def test_coins_count_as_margin_at_their_share() -> None:
    """A spot purchase ties up USDT and counts at nine tenths; borrowed coins count in full."""
    held = account()
    held.book(btc_spot(), "one", D("0.01"), D(60_000), D("0.6"))
    assert held.wallet == D("399.4")
    assert held.margin(lambda _: D(60_000)) == Margin(D("939.4"), D(0), D(0))
    short = account()
    short.book(btc_spot(), "one", D("-0.01"), D(60_000), D(0))
    assert short.margin(lambda _: D(60_000)).balance == D(1000)
    assert short.margin(lambda _: D(60_000)).maintenance > 0


def test_only_what_enlarges_the_net_position_opens() -> None:
    """An order against the position opens only what exceeds it."""
    held = account()
    held.book(btc_perpetual(), "one", D("0.01"), D(60_000), D(0))
    assert held.opens(BTC, Side.BUY, D("0.02")) == D("0.02")
    assert held.opens(BTC, Side.SELL, D("0.03")) == D("0.02")
    assert held.opens(BTC, Side.SELL, D("0.01")) == 0


def test_snapshot_goes_on_bit_for_bit() -> None:
    """A restored account answers like the one it was taken from."""
    held = account()
    held.book(btc_perpetual(), "one", D("0.013"), D("60000.1"), D("0.1"))
    held.book(btc_perpetual(), "two", D("-0.004"), D("60007.7"), D("0.1"))
    again = account("1")
    again.restore(held.snapshot())
    assert again.snapshot() == held.snapshot()
    assert again.net(BTC_SPOT) == 0
