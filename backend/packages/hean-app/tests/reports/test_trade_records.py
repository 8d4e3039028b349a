from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from hean.app.reports.fill_marks import FillMark
from hean.app.reports.trade_records import UNKNOWN, Kind, Plan, Trade, TradeRecords
from hean.core.events import (
    EdgeGuardChanged,
    Event,
    GuardMode,
    Liquidity,
    OrderFilled,
    PositionClosed,
    PositionOpened,
    Regime,
    ShadowClosed,
    Side,
)
from hean.core.ids import signal_id
from hean.core.testing import (
    BTC,
    ETH,
    START,
    filled,
    order_request,
    position_closed,
    position_opened,
    signal,
)

BASES = {BTC: "BTC", ETH: "ETH"}


def _fill(side: Side, price: str, name: str, *, maker: bool = False) -> OrderFilled:
    order = order_request(side=side, quantity="0.5")
    liquidity = Liquidity.MAKER if maker else Liquidity.TAKER
    return filled(order, price=price, fill=name, liquidity=liquidity)


def _closed(**changes: object) -> PositionClosed:
    """Half a coin bought at 1000: gross 2, fees 0.5, funding 0.25, of a notional of 500."""
    event = position_closed(quantity="0.5", entry="1000", net="1.75")
    money = {"gross": Decimal(2), "fees": Decimal("0.5"), "funding": Decimal("0.25")}
    return msgspec.structs.replace(event, **{**money, **changes})


def _trades(*events: Event, marks: dict[str, FillMark] | None = None) -> list[Trade]:
    return TradeRecords(marks=marks, bases=BASES).take_all(events).trades


def _shadow(**changes: object) -> ShadowClosed:
    event = ShadowClosed(
        ts_event=START, ts_init=START, strategy="alpha", instrument=BTC, side=Side.BUY,
        opened_at=START, entry_price=60_000.0, exit_price=60_060.0, gross_bp=10.0, fees_bp=7.5,
        funding_bp=-1.0, net_bp=1.5, stop_bp=50.0, r_multiple=0.03, mae_r=0.0, mfe_r=0.1,
        regime=Regime.RANGE, phase=None, cycle=None, exit_reason="target",
        signal_id=signal_id("alpha", BTC, START, 1), refusal="MAX_ORDERS",
    )  # fmt: skip
    return msgspec.structs.replace(event, **changes)


def test_a_real_trade_in_bp() -> None:
    """Gross, fees, funding and net are taken of the entry notional: 2 of 500 is 40 bp."""
    (found,) = _trades(position_opened(), _closed())
    assert (found.gross_bp, found.fees_bp, found.funding_bp, found.net_bp) == (40, 10, 5, 35)
    assert (found.kind, found.regime, found.cell) == (Kind.REAL, "NORMAL", "alpha/majors/NORMAL")
    assert (found.spread_bp, found.impact_bp) == (None, None)


def test_a_resting_fill_earns_its_half_spread() -> None:
    """A maker's entry at its own touch gains the half-spread that a taker's exit pays."""
    marks = {"a": FillMark(1000.5, half=0.5), "b": FillMark(1004.5, half=0.5)}
    (found,) = _trades(
        _fill(Side.BUY, "1000", "a", maker=True), position_opened(),
        _fill(Side.SELL, "1004", "b"), _closed(), marks=marks,
    )  # fmt: skip
    assert found.spread_bp == pytest.approx(0.0)
    assert found.impact_bp == pytest.approx(0.0)


def test_spread_and_impact_are_told_apart() -> None:
    """Bought 1 above and sold 3 below the mid, touches half a coin away: 10 bp and 30 bp."""
    marks = {"a": FillMark(999.0, half=0.5), "b": FillMark(1007.0, half=0.5)}
    (found,) = _trades(
        _fill(Side.BUY, "1000", "a"), position_opened(),
        _fill(Side.SELL, "1004", "b"), _closed(), marks=marks,
    )  # fmt: skip
    assert found.spread_bp == pytest.approx(10.0)
    assert found.impact_bp == pytest.approx(30.0)


@pytest.mark.parametrize("marks", [{"a": FillMark(999.0)}, {"a": FillMark(9.0), "b": FillMark()}])
def test_slippage_needs_every_mid(marks: dict[str, FillMark]) -> None:
    """With the mid of one fill unknown what the trade paid against it is unknown."""
    events = (
        _fill(Side.BUY, "1000", "a"), position_opened(), _fill(Side.SELL, "1004", "b"), _closed(),
    )  # fmt: skip
    assert _trades(*events, marks=marks)[0].impact_bp is None


def test_a_turned_position_has_no_slippage() -> None:
    """A fill that is only in part of this trade makes its slippage unknown."""
    marks = {"a": FillMark(999.0)}
    (found,) = _trades(_fill(Side.BUY, "1000", "a"), position_opened(), _closed(), marks=marks)
    assert found.impact_bp is None


def test_dust_is_no_turn() -> None:
    """A spot fee taken in coin leaves less than a lot to sell: the slippage is still known."""
    marks = {"a": FillMark(999.0), "b": FillMark(1007.0)}
    bought = msgspec.structs.replace(_fill(Side.BUY, "1000", "a"), quantity=Decimal("0.501"))
    (found,) = _trades(
        bought, position_opened(), _fill(Side.SELL, "1004", "b"), _closed(), marks=marks
    )
    assert found.impact_bp == pytest.approx(40.02)


def test_markouts_of_maker_fills() -> None:
    """Bought at 1000 as maker, mid 1001 after 10 s and 998 after 60 s: +10 and -20 bp."""
    marks = {"a": FillMark(1000.5, [1001.0, 998.0]), "b": FillMark(1004.0, [1.0, 1.0])}
    (found,) = _trades(
        _fill(Side.BUY, "1000", "a", maker=True), position_opened(),
        _fill(Side.SELL, "1004", "b"), _closed(), marks=marks,
    )  # fmt: skip
    assert found.maker_fills == 1
    assert [pytest.approx(values[0]) for values in found.markouts] == [10.0, -20.0]


def _legs() -> list[Event]:
    pair = [
        signal("alpha", group="g", leg=place, legs=2, instrument=name)
        for place, name in enumerate((ETH, BTC))
    ]
    opened: list[PositionOpened] = [
        msgspec.structs.replace(position_opened(instrument=name), group="g") for name in (ETH, BTC)
    ]
    return [*pair, *opened]


def test_a_group_is_one_trade() -> None:
    """Two legs of 500 and 1000: sums over the larger, named in leg order, when the last closes."""
    small = _closed(instrument=ETH, group="g", net=Decimal(-1))
    large = _closed(
        instrument=BTC, group="g", entry_price=Decimal(2000), net=Decimal(3),
        opened_at=START + 1, regime=None,
    )  # fmt: skip
    assert _trades(*_legs(), small) == []
    (found,) = _trades(*_legs(), small, large)
    assert found.net_bp == pytest.approx(20.0)
    assert found.gross_bp == pytest.approx(40.0)
    assert found.instrument == f"{ETH} + {BTC}"
    assert found.regime == "NORMAL"
    assert found.plan is None


def test_an_open_leg_is_an_open_position() -> None:
    """What was opened and never closed is counted as open and is in no trade."""
    records = TradeRecords().take_all([position_opened(), position_opened(instrument=ETH)])
    assert records.open_positions == {"alpha": 2}
    assert records.take_all([_closed()]).open_positions == {"alpha": 1}


def test_a_shadow_trade_stands_apart() -> None:
    """It keeps its own bp and regime; one whose plan failed is of a kind of its own."""
    sound, failed = _trades(_shadow(), _shadow(promotes=False, regime=None))
    assert (sound.kind, sound.net_bp, sound.regime) == (Kind.SHADOW, 1.5, "RANGE")
    assert sound.cell == "alpha/majors/RANGE"
    assert (failed.kind, failed.regime) == (Kind.FAILED_PLAN, UNKNOWN)
    assert failed.cell == "alpha/majors/NORMAL"


def test_the_plan_is_the_signal_s() -> None:
    """Target 1 % above and stop 0.5 % below an entry at 60000: 100 and 50 bp."""
    (found,) = _trades(signal(), _shadow())
    assert isinstance(found.plan, Plan)
    assert (found.plan.target_bp, found.plan.stop_bp) == pytest.approx((100.0, 50.0))
    (without,) = _trades(signal(targets=()), _shadow())
    assert without.plan is None


def test_the_newest_mode_of_a_cell_holds() -> None:
    """Modes come from the guard's changes, the last one last."""
    change = EdgeGuardChanged(
        ts_event=START, ts_init=START, strategy="alpha", cell="alpha/majors/RANGE",
        mode=GuardMode.PROBE, previous=GuardMode.SHADOW, outcomes=30, posterior_mean_bp=1.0,
        posterior_error_bp=1.0, last_mean_bp=1.0, cost_bp=7.5,
    )  # fmt: skip
    back = msgspec.structs.replace(change, mode=GuardMode.SHADOW, previous=GuardMode.PROBE)
    assert TradeRecords().take_all([change]).modes == {"alpha/majors/RANGE": GuardMode.PROBE}
    assert TradeRecords().take_all([change, back]).modes["alpha/majors/RANGE"] is GuardMode.SHADOW
