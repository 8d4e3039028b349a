"""The paper venue's desk: admits orders, executes them, and settles the account.

Market handlers run before the market view has the event in hand, so the event itself is passed on.
Stops trigger on the mark while it is at most 5 s old, else on trades and the quote's mid; on bars
on their low and high, before resting orders of the same bar.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from hean.app.venues import admission, liquidation
from hean.app.venues.admission import Refusal
from hean.app.venues.fees import Charge, FeeModel
from hean.app.venues.margin_account import Margin, MarginAccount
from hean.app.venues.matching import Consumed, Execution, FillModel, Market, worsened
from hean.app.venues.queueing import QueueModel
from hean.app.venues.reporting import Reporter
from hean.app.venues.resting import PaperOrder, Watch, order_of, stop_of, venue_order
from hean.core.events import (
    Bar,
    BookUpdate,
    FillKind,
    FundingRate,
    Liquidity,
    MarkPrice,
    OrderRequest,
    OrderStyle,
    Quote,
    Side,
    Trade,
    VenuePosition,
    VenueSnapshot,
    WalletUpdated,
)
from hean.core.ids import protective_order_id
from hean.core.instruments import MONEY, ZERO, Instrument, decimal_of
from hean.core.market_view import MARK_MAX_AGE_NS, MarketView
from hean.core.timers import Agenda

_REMEMBERED_IDS = 4096
"""How many client order ids are remembered against resends; older ones are long settled."""
_OPEN_BAND = (float("-inf"), float("inf"))
