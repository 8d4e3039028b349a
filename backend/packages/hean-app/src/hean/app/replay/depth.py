"""A depth book kept from absolute level changes: sorted prices a side, a size each."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from typing import TypeAlias

Levels: TypeAlias = tuple[tuple[float, float], ...]


class DepthBook:
    """Bids and asks by price. It believes what it is told; whoever feeds it checks the sequence."""

    __slots__ = ("_ask_image", "_ask_prices", "_asks", "_bid_image", "_bid_prices", "_bids")

    def __init__(self) -> None:
        self._bids: dict[float, float] = {}
        self._asks: dict[float, float] = {}
        self._bid_prices: list[float] = []
        self._ask_prices: list[float] = []
        self._bid_image: Levels | None = None
        self._ask_image: Levels | None = None

    def __len__(self) -> int:
        return len(self._bids) + len(self._asks)

    def clear(self) -> None:
        """Forget every level."""
        self.replace((), ())

    def replace(
        self, bids: Iterable[tuple[float, float]], asks: Iterable[tuple[float, float]]
    ) -> None:
        """Take a snapshot in place of what was known."""
        self._bids = {price: size for price, size in bids if size > 0.0}
        self._asks = {price: size for price, size in asks if size > 0.0}
        self._bid_prices = sorted(self._bids)
        self._ask_prices = sorted(self._asks)
        self._bid_image = self._ask_image = None

    def apply(
        self, bids: Sequence[tuple[float, float]], asks: Sequence[tuple[float, float]]
    ) -> None:
        """Set levels to their new sizes; size 0 deletes, deleting an unknown level is no error."""
        if bids:
            _change(self._bids, self._bid_prices, bids)
            self._bid_image = None
        if asks:
            _change(self._asks, self._ask_prices, asks)
            self._ask_image = None

    @property
    def two_sided(self) -> bool:
        return bool(self._bid_prices) and bool(self._ask_prices)

    @property
    def crossed(self) -> bool:
        """Whether the best bid is at or above the best ask: something is missing."""
        return self.two_sided and self._bid_prices[-1] >= self._ask_prices[0]

    def touch(self) -> tuple[float, float, float, float]:
        """Return bid, ask, bid size, ask size; the book must be two-sided."""
        bid, ask = self._bid_prices[-1], self._ask_prices[0]
        return bid, ask, self._bids[bid], self._asks[ask]

    def image(self, levels: int) -> tuple[Levels, Levels]:
        """Return the best `levels` bids and asks, best first; ask always for the same number."""
        bids, asks = self._bid_image, self._ask_image
        if bids is None:
            prices = self._bid_prices[: -levels - 1 : -1]
            bids = tuple(zip(prices, map(self._bids.__getitem__, prices), strict=True))
            self._bid_image = bids
        if asks is None:
            prices = self._ask_prices[:levels]
            asks = tuple(zip(prices, map(self._asks.__getitem__, prices), strict=True))
            self._ask_image = asks
        return bids, asks


def _change(
    sizes: dict[float, float], prices: list[float], changes: Iterable[tuple[float, float]]
) -> None:
    for price, size in changes:
        if size == 0.0:
            if sizes.pop(price, 0.0):
                del prices[bisect_left(prices, price)]
        else:
            if price not in sizes:
                insort(prices, price)
            sizes[price] = size
