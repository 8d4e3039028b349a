from __future__ import annotations

from typing import Final

import msgspec
import pytest

from hean.app.reports.fill_marks import FillMark, FillMarks, takes_quote
from hean.core.bus import Bus
from hean.core.events import FillKind, Liquidity, OrderFilled, Quote
from hean.core.kernel import Kernel
from hean.core.testing import SECOND, START, filled, order_request, quote
from hean.core.timers import Agenda

FILL: Final = filled(order_request(), fill="f", at=START + SECOND)


def _marked(*events: Quote | OrderFilled) -> dict[str, FillMark]:
    bus, agenda = Bus(), Agenda()
    marks = FillMarks()
    marks.attach(bus)
    kernel = Kernel(bus, agenda)
    for event in events:
        kernel.take(event)
    return marks.marks


def _at(seconds: float, mid: float, *, synthetic: bool = False) -> Quote:
    at = START + round(seconds * SECOND)
    return quote(mid - 1.0, mid + 1.0, at=at, synthetic=synthetic)


def test_the_mids_in_force_are_taken() -> None:
    """A fill gets the mid at its own time, and those in force 10 s and 60 s after it."""
    found = _marked(
        _at(0, 100), _at(0.9, 101), FILL, _at(10.5, 102), _at(11.2, 103), _at(60.9, 104),
        _at(62, 105),
    )  # fmt: skip
    assert found["f"] == FillMark(101.0, [102.0, 104.0], 1.0)


def test_a_fill_reported_late_keeps_its_time() -> None:
    """A quote between execution and report does not count as the mid at the fill."""
    late = msgspec.structs.replace(FILL, ts_init=START + 2 * SECOND)
    assert _marked(_at(0, 100), _at(1.5, 150), late)["f"].mid == 100.0


def test_a_stale_mid_is_unknown() -> None:
    """Where no quote came in the five seconds before, the markout is unknown; so at the end."""
    found = _marked(_at(0, 100), FILL, _at(3, 101), _at(30, 102))
    assert found["f"] == FillMark(100.0, [None, None], 1.0)


def test_a_repeated_report_counts_once() -> None:
    """The same fill again changes nothing."""
    again = msgspec.structs.replace(FILL, ts_init=START + 3 * SECOND, ts_event=START + 3 * SECOND)
    assert _marked(_at(0, 100), FILL, _at(2, 120), again)["f"].mid == 100.0


def test_no_quote_no_mid() -> None:
    """A fill before any quote has no mid at all."""
    assert _marked(FILL)["f"] == FillMark(None, [None, None])


def test_bars_know_the_mid_of_takers_only() -> None:
    """On synthetic quotes an order that took them has a mid, and nothing has a markout."""
    maker = msgspec.structs.replace(FILL, fill_id="m", liquidity=Liquidity.MAKER)
    found = _marked(
        _at(0, 100, synthetic=True), FILL, maker, _at(12, 101, synthetic=True),
        _at(62, 101, synthetic=True),
    )  # fmt: skip
    assert found == {"f": FillMark(100.0, [None, None], 1.0), "m": FillMark(None, [None, None])}


@pytest.mark.parametrize(
    "change",
    [{"protective": True}, {"kind": FillKind.LIQUIDATION}, {"liquidity": Liquidity.MAKER}],
)
def test_what_fills_inside_a_bar(change: dict[str, object]) -> None:
    """Stops, liquidations and resting orders do not take the quote in force."""
    assert takes_quote(FILL)
    assert not takes_quote(msgspec.structs.replace(FILL, **change))
