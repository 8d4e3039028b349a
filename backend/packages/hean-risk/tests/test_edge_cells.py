from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hean.core.edge import Fees, fees_bp
from hean.core.events.decision import GuardMode
from hean.core.events.evidence import FeeShare, PastOutcome
from hean.core.testing import BTC, ETH, START
from hean.risk.edge_cells import FAILED_PLAN, EdgeCells, Origin, cell_key, cell_name, symbol_group

KEY = ("alpha", "majors", "NORMAL")
QUIET = ("alpha", "majors", "RANGE")
PLACES = {BTC: ("alpha", "majors"), ETH: ("alpha", "majors")}


def _fees(maker: float = 2.0, taker: float = 5.5) -> dict[str, Fees]:
    return {BTC: Fees(maker_bp=maker, taker_bp=taker), ETH: Fees(maker_bp=2.0, taker_bp=5.5)}


def _past(
    before_fees: float, *, on: str = BTC, regime: str = "NORMAL", maker: float = 1.0
) -> PastOutcome:
    """Return an outcome of two legs on an instrument, `maker` of them as a maker."""
    return PastOutcome(
        closed_at=START,
        instrument=on,
        regime=regime,
        is_real=False,
        before_fees_bp=before_fees,
        frictions_bp=1.0,
        shares=(FeeShare(instrument=on, maker=maker, taker=2.0 - maker),),
    )


def test_cells_have_names_and_groups() -> None:
    """BTC and ETH are majors; a regime nobody knew is NORMAL; the name joins the parts."""
    assert [symbol_group(base) for base in ("BTC", "ETH", "SOL")] == ["majors", "majors", "others"]
    assert cell_key("alpha", "majors", None) == cell_key("alpha", "majors", "") == KEY
    assert cell_name(KEY) == "alpha/majors/NORMAL"


def test_a_few_outcomes_are_judged_by_the_wider_cell() -> None:
    """With 40 good outcomes in RANGE the first one in NORMAL makes that cell PROBE at once."""
    cells = EdgeCells()
    for number in range(40):
        cells.learn(QUIET, 60.0 + number % 2, Origin.SHADOW)
    change = cells.learn(KEY, 60.0, Origin.REAL)
    assert change is not None
    assert (change.mode, change.belief.outcomes) == (GuardMode.PROBE, 41)
    assert cells.track(KEY).cell.outcomes == 1


def test_from_twenty_outcomes_a_cell_speaks_for_itself() -> None:
    """Good outcomes elsewhere do not help a cell that has twenty bad ones of its own."""
    cells = EdgeCells()
    for number in range(200):
        cells.learn(QUIET, 60.0 + number % 2, Origin.SHADOW)
    cells.track(KEY).cost_bp = 5.0
    for _ in range(19):
        cells.learn(KEY, -6.0, Origin.SHADOW)
    assert cells.track(KEY).mode is GuardMode.ACTIVE
    change = cells.learn(KEY, -6.0, Origin.SHADOW)
    assert change is not None
    assert change.mode is GuardMode.SHADOW
    assert change.belief.outcomes == 20


def test_failed_plans_have_a_cell_that_promotes_nothing() -> None:
    """A hundred gains of failed plans stay in SHADOW, in no other cell, and are counted."""
    cells = EdgeCells()
    for _ in range(100):
        cells.note_failed("alpha", "majors", 90.0, Origin.REAL)
    track = cells.tracks["alpha", "majors", FAILED_PLAN]
    assert (track.cell.outcomes, track.real, track.mode) == (100, 100, GuardMode.SHADOW)
    assert list(cells.tracks) == [("alpha", "majors", FAILED_PLAN)]


def test_past_outcomes_start_a_cell_where_they_had_brought_it() -> None:
    """Sixty good outcomes of an earlier run are ACTIVE at once: one change, counted apart."""
    cells = EdgeCells()
    past = tuple(_past(40.0 + number % 3) for number in range(60))
    (change,) = cells.take_past(PLACES, past, _fees())
    assert (change.previous, change.mode) == (GuardMode.SHADOW, GuardMode.ACTIVE)
    track = cells.track(KEY)
    assert (track.imported, track.real, track.shadow) == (60, 0, 0)
    assert track.cost_bp == 1.0 + 2.0 + 5.5


def test_past_outcomes_of_each_regime_go_to_their_cell() -> None:
    """Regime and symbol group of the opening decide the cell; what is not known here is left."""
    cells = EdgeCells()
    past = (_past(1.0), _past(2.0, regime="RANGE"), _past(3.0, on="XUSDT-PERP.BYBIT"))
    cells.take_past(PLACES, past, _fees())
    assert [cells.track(one).imported for one in (KEY, QUIET)] == [1, 1]
    assert cells.track(("alpha", "", "")).imported == 2


@settings(max_examples=100, deadline=None)
@given(
    nets=st.lists(st.floats(-200.0, 200.0), min_size=1, max_size=60),
    maker=st.floats(0.0, 2.0),
    raised=st.floats(0.0, 10.0),
)
def test_dearer_fees_lower_each_past_net_by_exactly_themselves(
    nets: list[float], maker: float, raised: float
) -> None:
    """The cell's mean falls and its cost rises by the difference of fees, never the mode upward."""
    past = tuple(_past(one, maker=maker) for one in nets)
    cheap, dear = EdgeCells(), EdgeCells()
    cheap.take_past(PLACES, past, _fees())
    dear.take_past(PLACES, past, _fees(maker=2.0 + raised))
    before, after = cheap.track(KEY), dear.track(KEY)
    assert before.cell.mean - after.cell.mean == pytest.approx(maker * raised, abs=1e-9)
    assert after.cost_bp - before.cost_bp == pytest.approx(maker * raised, abs=1e-9)
    order = list(GuardMode)
    assert order.index(after.mode) <= order.index(before.mode)


def test_fees_fall_on_their_shares() -> None:
    """A pair pays each instrument's own rates on its share; an unknown instrument is an error."""
    shares = (FeeShare(instrument=BTC, maker=2.0), FeeShare(instrument=ETH, taker=1.4))
    assert fees_bp(shares, _fees(maker=-1.0)) == pytest.approx(-2.0 + 1.4 * 5.5)
    with pytest.raises(KeyError):
        fees_bp((FeeShare(instrument="nowhere", maker=1.0),), _fees())
