"""Mid and spread around each fill: in force when it happened; the mid ten and sixty seconds later.

Quotes are not journaled, so this listens while a run is made. It publishes nothing: the run
decides the same with and without it.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

import msgspec

from hean.core.bus import Bus, Stage
from hean.core.events import FillKind, Liquidity, OrderFilled, Quote

SECOND_NS: Final = 1_000_000_000
HORIZONS_NS: Final = (10 * SECOND_NS, 60 * SECOND_NS)
STALE_NS: Final = 5 * SECOND_NS
"""A mid older than this says nothing of a later time: the markout is unknown."""
_KEPT: Final = 64
_OWNER: Final = "fill_marks"


class FillMark(msgspec.Struct):
    """The mids of one fill; None where unknown. `later` answers `HORIZONS_NS` one by one.

    `half` is half the spread in force, known where `mid` is.
    """

    mid: float | None = None
    later: list[float | None] = []
    half: float = 0.0


class _Held(NamedTuple):
    ts_ns: int
    mid: float
    half: float
    is_synthetic: bool


class _Waiting(msgspec.Struct):
    due: int
    place: int
    mark: FillMark


class FillMarks:
    """Collects a `FillMark` for each fill id.

    Where quotes are synthetic (bars) nothing is known between them: no later mid, and a mid at
    the fill only for an order that took the quote in force.
    """

    def __init__(self) -> None:
        self.marks: dict[str, FillMark] = {}
        self.has_ticks = False
        self._mids: dict[str, deque[_Held]] = {}
        self._waiting: dict[str, list[_Waiting]] = {}

    def attach(self, bus: Bus) -> None:
        """Listen after everybody else."""
        bus.subscribe(Quote, self._on_quote, stage=Stage.REPORTS, owner=_OWNER)
        bus.subscribe(OrderFilled, self._on_filled, stage=Stage.REPORTS, owner=_OWNER)

    def _on_quote(self, event: Quote) -> None:
        mids = self._mids.get(event.instrument)
        if mids is None:
            mids = self._mids[event.instrument] = deque(maxlen=_KEPT)
        waiting = self._waiting.get(event.instrument)
        if waiting:
            self._settle(waiting, mids, event.ts_init)
        if not event.synthetic:
            self.has_ticks = True
        mid, half = (event.bid + event.ask) / 2.0, (event.ask - event.bid) / 2.0
        mids.append(_Held(event.ts_init, mid, half, event.synthetic))

    @staticmethod
    def _settle(waiting: list[_Waiting], mids: deque[_Held], now: int) -> None:
        """Answer what fell due before this quote by the mid that was in force until it came."""
        ts_ns, mid = mids[-1].ts_ns, mids[-1].mid
        left = [one for one in waiting if one.due >= now]
        for one in waiting:
            if one.due < now and one.due - ts_ns <= STALE_NS:
                one.mark.later[one.place] = mid
        waiting[:] = left

    def _on_filled(self, event: OrderFilled) -> None:
        if event.fill_id in self.marks:
            return
        mark = self.marks[event.fill_id] = FillMark(later=[None] * len(HORIZONS_NS))
        found = self._in_force(event.instrument, event.ts_event)
        if found is None:
            return
        if not found.is_synthetic:
            mark.mid, mark.half = found.mid, found.half
            waiting = self._waiting.setdefault(event.instrument, [])
            waiting.extend(
                _Waiting(event.ts_event + horizon, place, mark)
                for place, horizon in enumerate(HORIZONS_NS)
            )
        elif takes_quote(event):
            mark.mid, mark.half = found.mid, found.half

    def _in_force(self, instrument: str, at_ns: int) -> _Held | None:
        for held in reversed(self._mids.get(instrument, ())):
            if held.ts_ns <= at_ns:
                return held
        return None


def takes_quote(event: OrderFilled) -> bool:
    """Return whether a fill on bars came from the quote in force, not from inside the bar."""
    return (
        event.liquidity is Liquidity.TAKER and event.kind is FillKind.ORDER and not event.protective
    )
