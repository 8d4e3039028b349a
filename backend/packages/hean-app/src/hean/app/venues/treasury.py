"""The paper account's money: marks, margin, funding, and how far prices may safely go."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from hean.app.venues.margin_account import Margin, MarginAccount
from hean.app.venues.reporting import Reporter
from hean.app.venues.resting import Watch
from hean.core.events import FundingRate, WalletUpdated
from hean.core.instruments import MONEY, ZERO, decimal_of
from hean.core.market_view import MarketView
from hean.core.timers import Agenda

_FINEST_EXPONENT = -12
_FINEST = Decimal("1e-12")
_OPEN = (float("-inf"), float("inf"))


class Treasury:
    """Values the account on the market view's marks and reports its money.

    `seen_price` of an instrument stands for its mark while an event is met that the view has not
    taken in yet.
    """

    def __init__(
        self,
        *,
        agenda: Agenda,
        view: MarketView,
        account: MarginAccount,
        reporter: Reporter,
        watches: dict[str, Watch],
        reserved: Callable[[], Decimal],
    ) -> None:
        self._agenda = agenda
        self._view = view
        self._account = account
        self._reporter = reporter
        self._watches = watches
        self._reserved = reserved
        self._decimals: dict[str, tuple[float, Decimal]] = {}
        self.seen_price: dict[str, float] = {}

    def mark(self, name: str) -> Decimal | None:
        """Return the price a holding is valued at, or None before any price came."""
        price = self.seen_price.get(name)
        if price is None:
            found = self._view.mark(name)
            if found is None:
                return None
            price = found.price
        kept = self._decimals.get(name)
        if kept is not None and kept[0] == price:
            return kept[1]
        value = decimal_of(price)
        self._decimals[name] = (price, value)
        return value

    def margin(self) -> Margin:
        """Return the account's margin now."""
        return self._account.margin(self.mark)

    def wallet_update(self, due: int, margin: Margin) -> WalletUpdated:
        """Return the account's money; free is what resting orders do not hold back either."""
        available = margin.balance - margin.initial - self._reserved()
        return WalletUpdated(
            ts_event=self._agenda.now,
            ts_init=due,
            wallet=self._account.wallet,
            available=available if available > 0 else ZERO,
            initial_margin=margin.initial,
            maintenance_margin=margin.maintenance,
        )

    def report(self, margin: Margin) -> None:
        """Report the wallet after it moved."""
        self._reporter.wallet(self.wallet_update(self._reporter.due(), margin))

    def guard(self, margin: Margin) -> None:
        """Set for every holding the prices within which the account cannot come to liquidation.

        The slack over maintenance is divided equally: while each stays within its band, the sum of
        what they lose is less than the slack.
        """
        holdings = self._account.holdings
        held = [(name, one.quantity) for name, one in holdings.items() if one.quantity]
        if not held:
            return
        slack = max(0.0, float(margin.balance - margin.maintenance)) / len(held)
        for name, quantity in held:
            watch = self._watches.get(name)
            if watch is None:
                watch = self._watches[name] = Watch()
            mark = self.mark(name)
            if mark is None or not margin.maintenance:
                watch.guard(*_OPEN)
                continue
            at = float(mark)
            room = slack / self._loss_per_price(name, quantity)
            watch.guard(*((at - room, _OPEN[1]) if quantity > 0 else (_OPEN[0], at + room)))

    def settle_funding(self, settled: FundingRate) -> None:
        """Pay or receive funding on the net position at a stamp: the product, to 12 decimals.

        The position is the one that has been reported by then, so that the books, which know no
        other, attribute just what is paid.
        """
        unheard = self._reporter.unheard_of(settled.instrument)
        quantity = self._account.net(settled.instrument) - unheard
        mark = self.mark(settled.instrument)
        rules = self._view.instruments.get(settled.instrument)
        if not quantity or mark is None or rules is None or rules.is_spot:
            return
        value = MONEY.multiply(quantity, mark)
        amount = _bounded(MONEY.minus(MONEY.multiply(value, decimal_of(settled.rate))))
        self._account.pay(amount)
        self._reporter.funding(settled, mark, quantity, amount)
        margin = self.margin()
        self.guard(margin)
        self.report(margin)

    def _loss_per_price(self, name: str, quantity: Decimal) -> float:
        """Return how fast slack shrinks per USDT of adverse price."""
        size = abs(float(quantity))
        if quantity > 0 and self._view.instruments[name].is_spot:
            return size * float(self._account.value_share(name, quantity)) or size
        return size * (1.0 + float(self._account.highest_maintenance_rate(name)))


def _bounded(amount: Decimal) -> Decimal:
    """Keep at most 12 decimals, so that no sum of the wallet outgrows 28 digits."""
    exponent = amount.as_tuple().exponent
    if isinstance(exponent, int) and exponent < _FINEST_EXPONENT:
        return amount.quantize(_FINEST, context=MONEY)
    return amount
