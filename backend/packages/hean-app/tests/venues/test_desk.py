from collections import Counter
from decimal import Decimal

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hean.app.venues.paper import PaperVenue
from hean.app.venues.settings import VenueSettings
from hean.core.events import (
    FundingPaid,
    Intent,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderRequest,
    OrderStyle,
    Side,
)
from hean.core.ids import PROTECTIVE_SUFFIX
from hean.core.testing import (
    BTC,
    BTC_SPOT,
    MiniSystem,
    btc_perpetual,
    btc_spot,
    funding,
    order_request,
    quote,
    trade,
)

D = Decimal
WALLET = D(3000)
SIDES = st.sampled_from(list(Side))
STRATEGIES = st.sampled_from(["one", "two"])
TICKS = st.integers(-40, 40)


class OrdersAtTheVenue(RuleBasedStateMachine):
    """Any orders against any market, over real latencies, on a small account."""

    def __init__(self) -> None:
        super().__init__()
        self.system = MiniSystem(instruments=[btc_perpetual(), btc_spot(borrowable=True)])
        self.venue = PaperVenue(
            bus=self.system.bus,
            agenda=self.system.agenda,
            view=self.system.view,
            section=VenueSettings(slippage_bp=1),
            initial_wallet=WALLET,
        )
        self.system.add(self.venue)
        self.tick = 600_000
        self.sent: list[OrderRequest] = []
        self.show()

    def show(self) -> None:
        """Quote both instruments around the present price."""
        price = self.tick / 10
        for name in (BTC, BTC_SPOT):
            shown = quote(price, price + 0.1, size=0.02, instrument=name, at=self.system.now)
            self.system.take(shown)

    @rule(by=TICKS)
    def move(self, by: int) -> None:
        """Move the quotes."""
        self.tick += by
        self.show()

    @rule(by=st.sampled_from([-250_000, -60_000, 60_000]))
    def jump(self, by: int) -> None:
        """Let the price gap, as far as liquidation."""
        self.tick = max(100_000, self.tick + by)
        self.show()

    @rule(by=st.sampled_from([-60, -15, 15, 60]), side=SIDES)
    def sweep(self, by: int, side: Side) -> None:
        """Print through the book, and let the quotes follow."""
        self.tick += by
        for name in (BTC, BTC_SPOT):
            self.system.take(trade(self.tick / 10, 1.0, side, instrument=name, at=self.system.now))
        self.show()

    @rule(at=st.integers(-3, 3), size=st.integers(1, 60), side=SIDES, spot=st.booleans())
    def print_trade(self, at: int, size: int, side: Side, spot: bool) -> None:
        """Print a trade near the quotes."""
        name = BTC_SPOT if spot else BTC
        price = (self.tick + at) / 10
        self.system.take(trade(price, size / 1000, side, instrument=name, at=self.system.now))

    @rule(
        strategy=STRATEGIES,
        side=SIDES,
        style=st.sampled_from(list(OrderStyle)),
        intent=st.sampled_from([Intent.OPEN, Intent.OPEN, Intent.CLOSE]),
        offset=st.integers(-2, 5),
        lots=st.integers(1, 120),
        stop=st.integers(1, 400) | st.none(),
        spot=st.sampled_from([False, False, True]),
        arrives=st.booleans(),
    )
    def send(
        self,
        strategy: str,
        side: Side,
        style: OrderStyle,
        intent: Intent,
        offset: int,
        lots: int,
        stop: int | None,
        spot: bool,
        arrives: bool,
    ) -> None:
        """Send an order, sensible or not; it may arrive before anything else happens."""
        behind = -offset if style is OrderStyle.POST_ONLY else offset
        price = D(self.tick + behind * side.sign) / 10
        request = order_request(
            strategy,
            side,
            number=len(self.sent),
            style=style,
            intent=intent,
            quantity=str(D(lots) / 1000),
            price=None if style is OrderStyle.MARKET else str(price),
            stop=None if stop is None or spot else str(price - side.sign * stop),
            instrument=BTC_SPOT if spot else BTC,
        )
        self.sent.append(request)
        self.venue.submit(request)
        if arrives:
            self.system.advance(0.1)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Cancel an order that was sent, at work or not."""
        if self.sent:
            self.venue.cancel(data.draw(st.sampled_from(self.sent)).client_order_id)

    @rule(strategy=STRATEGIES, side=SIDES, lots=st.integers(50, 120), jump=st.integers(1, 12))
    def bet(self, strategy: str, side: Side, lots: int, jump: int) -> None:
        """Open at the market with a far stop and let the price run against it by kilometres."""
        self.show()
        self.send(strategy, side, OrderStyle.MARKET, Intent.OPEN, 0, lots, 30_000, False, True)
        self.tick = max(100_000, self.tick - side.sign * jump * 20_000)
        self.show()

    @rule(milliseconds=st.sampled_from([1, 30, 200]))
    def wait(self, milliseconds: int) -> None:
        """Let orders and reports travel."""
        self.system.advance(milliseconds / 1000)

    @rule(rate=st.integers(-50, 50))
    def fund(self, rate: int) -> None:
        """Settle funding."""
        self.system.take(funding(rate / 10_000, settled=True, at=self.system.now))

    @invariant()
    def a_restored_copy_is_the_same(self) -> None:
        """Hold that a snapshot restores to a venue that makes the same snapshot."""
        copy = PaperVenue(
            bus=self.system.bus,
            agenda=self.system.agenda,
            view=self.system.view,
            section=VenueSettings(slippage_bp=1),
            initial_wallet=D(0),
        )
        copy.restore(self.venue.snapshot())
        assert copy.snapshot() == self.venue.snapshot()

    def teardown(self) -> None:
        """Pull everything, let all reports arrive, and audit the whole run."""
        for request in self.sent:
            self.venue.cancel(request.client_order_id)
        self.system.advance(1)
        self.audit_money()
        self.audit_orders()

    def audit_money(self) -> None:
        """Wallet and positions are the sum of the fills and funding heard, to the last digit."""
        cash, held = WALLET, Counter[str]()
        quantities: dict[str, Decimal] = {}
        for paid in self.system.of(FundingPaid):
            cash += paid.amount
        for fill in self.system.of(OrderFilled):
            signed = fill.quantity * fill.side.sign
            cash -= signed * fill.price + fill.fee
            held[fill.instrument] += 1
            quantities[fill.instrument] = quantities.get(fill.instrument, D(0)) + signed
        account = self.venue.account()
        shown = {one.instrument: one.quantity for one in account.positions}
        assert shown == {name: found for name, found in quantities.items() if found}
        assert account.wallet - self.venue.open_cost(BTC) == cash

    def audit_orders(self) -> None:
        """No order fills more than its quantity, and each ends exactly once."""
        ends, executed = Counter[str](), Counter[str]()
        seen: set[str] = set()
        for event in self.system.of(OrderFilled):
            assert event.fill_id not in seen
            seen.add(event.fill_id)
            assert event.remaining >= 0
            executed[event.client_order_id] += 1
            ends[event.client_order_id] += event.remaining == 0
        for kind in (OrderRejected, OrderExpired, OrderCancelled):
            for event in self.system.of(kind):
                ends[event.client_order_id] += 1
        for request in self.sent:
            assert ends[request.client_order_id] == 1, request
        for order_id, count in ends.items():
            assert count == 1 or order_id.endswith(PROTECTIVE_SUFFIX), order_id


OrdersAtTheVenue.TestCase.settings = settings(
    max_examples=200, stateful_step_count=40, deadline=None
)
test_money_and_orders_under_any_interleaving = OrdersAtTheVenue.TestCase


def test_the_copy_of_a_request_shares_nothing() -> None:
    """The venue keeps its own record: a request is never changed by its execution."""
    system = MiniSystem(instruments=[btc_perpetual()])
    venue = PaperVenue(
        bus=system.bus,
        agenda=system.agenda,
        view=system.view,
        section=VenueSettings(order_latency_ms=0, report_latency_ms=0),
        initial_wallet=WALLET,
    )
    system.take(trade(60_000.0))
    request = order_request(price="60100", quantity="0.01")
    before = msgspec.json.encode(request)
    venue.submit(request)
    assert msgspec.json.encode(request) == before
