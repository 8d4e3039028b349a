from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from hean.app.venues.latency import FixedLatency
from hean.app.venues.liquidation import is_due
from hean.app.venues.margin_account import MarginAccount
from hean.app.venues.reporting import Reporter
from hean.app.venues.resting import Watch
from hean.app.venues.treasury import Treasury
from hean.core.testing import BTC, ETH, MiniSystem, btc_perpetual, eth_perpetual, quote

D = Decimal
PRICES = {BTC: 60_000.0, ETH: 3_000.0}


@given(
    btc=st.integers(-40, 40),
    eth=st.integers(-80, 80),
    wallet=st.integers(50, 3000),
    where=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
)
@settings(max_examples=150, deadline=None)
def test_inside_all_safe_bands_no_liquidation_is_due(
    btc: int, eth: int, wallet: int, where: tuple[float, float]
) -> None:
    """Wherever the prices stand inside their bands together, margin covers maintenance."""
    system = MiniSystem(instruments=[btc_perpetual(), eth_perpetual()])
    account = MarginAccount(wallet=D(wallet), leverage=D(10), collateral_share=D("0.9"))
    watches: dict[str, Watch] = {}
    treasury = Treasury(
        agenda=system.agenda,
        view=system.view,
        account=account,
        reporter=Reporter(system.agenda, FixedLatency(order_ns=0, report_ns=0)),
        watches=watches,
        reserved=lambda: D(0),
    )
    for name, lots, rules in ((BTC, btc, btc_perpetual()), (ETH, eth, eth_perpetual())):
        price = PRICES[name]
        system.take(quote(price, price, instrument=name))
        if lots:
            account.book(rules, "alpha", lots * rules.lot_step, D(str(price)), D(0))
    if is_due(treasury.margin()):
        return
    treasury.guard(treasury.margin())
    for name, share in zip((BTC, ETH), where, strict=True):
        watch = watches.get(name)
        if watch is None:
            continue
        low, high = max(watch.safe_low, 1.0), min(watch.safe_high, 10 * PRICES[name])
        room = high - PRICES[name] if share > 0 else PRICES[name] - low
        inside = PRICES[name] + share * room
        treasury.seen_price[name] = min(max(inside, low * 1.000001), high * 0.999999)
    assert not is_due(treasury.margin())
