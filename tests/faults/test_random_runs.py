"""Any run of signals, prices and late reports: capacity holds, and nothing is left behind."""

from __future__ import annotations

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hean.core.events import Event, Intent, OrderStyle, PositionOpened, Side
from hean.core.testing import BTC, ETH, SOL

from .composed import PRICES, Composed

MILLISECOND = 10**6
MAXIMUM = 3
STRATEGIES = st.sampled_from(["alpha", "beta"])
INSTRUMENTS = st.sampled_from([BTC, ETH, SOL])
SIDES = st.sampled_from([Side.BUY, Side.SELL])
STYLES = st.sampled_from([OrderStyle.LIMIT_IOC, OrderStyle.POST_ONLY])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("open"), STRATEGIES, INSTRUMENTS, SIDES, STYLES),
        st.tuples(st.just("open"), STRATEGIES, INSTRUMENTS, SIDES, STYLES),
        st.tuples(st.just("pair"), STRATEGIES, INSTRUMENTS, SIDES, STYLES),
        st.tuples(st.just("quote"), STRATEGIES, INSTRUMENTS, SIDES, STYLES),
        st.tuples(st.just("reduce"), STRATEGIES, INSTRUMENTS, SIDES, STYLES),
        st.tuples(st.just("close"), STRATEGIES, INSTRUMENTS, SIDES, STYLES),
        st.tuples(st.just("move"), STRATEGIES, INSTRUMENTS, SIDES, st.floats(0.0002, 0.02)),
        st.tuples(st.just("wait"), STRATEGIES, INSTRUMENTS, SIDES, st.floats(0.01, 12.0)),
    ),
    min_size=8,
    max_size=24,
)
OPENED: list[int] = []
TWO_OPENED = [
    ("open", "alpha", BTC, Side.BUY, OrderStyle.LIMIT_IOC),
    ("wait", "alpha", BTC, Side.BUY, 5.0),
    ("open", "beta", ETH, Side.SELL, OrderStyle.LIMIT_IOC),
    ("wait", "beta", ETH, Side.SELL, 5.0),
]
STOP_FILLED_AT_ONCE = [
    ("open", "alpha", BTC, Side.BUY, OrderStyle.POST_ONLY),
    ("open", "alpha", ETH, Side.BUY, OrderStyle.POST_ONLY),
    ("quote", "alpha", BTC, Side.BUY, OrderStyle.LIMIT_IOC),
    ("wait", "alpha", BTC, Side.BUY, 1.0),
    ("move", "alpha", BTC, Side.BUY, 0.015625),
    ("move", "alpha", BTC, Side.BUY, 0.015625),
]
"""Word of a stop's acceptance comes behind its fill."""


def pair(composed: Composed, strategy: str, first: str, side: Side, number: int) -> None:
    """Ask for a resting leg and the hedge on the next instrument that it releases."""
    second = {BTC: ETH, ETH: SOL, SOL: BTC}[first]
    leg, group = Intent.LEG, f"pair {number}"
    composed.take(
        composed.signal(
            first, side, leg, strategy=strategy, style=OrderStyle.POST_ONLY,
            group=group, leg=0, legs=2, scale=0.2,
        ),
        composed.signal(
            second, side.opposite, leg, strategy=strategy,
            group=group, leg=1, legs=2, release_leg=0, scale=0.2,
        ),
    )  # fmt: skip


def quotes(composed: Composed, strategy: str, instrument: str, number: int) -> None:
    """Ask for a bid and an ask."""
    asked = [
        composed.signal(
            instrument, side, Intent.QUOTE, strategy=strategy, style=OrderStyle.POST_ONLY,
            group=f"quotes {number}", leg=leg, legs=2, group_stop_bp=100.0, scale=0.1,
        )
        for leg, side in enumerate((Side.BUY, Side.SELL))
    ]  # fmt: skip
    composed.take(*asked)


def pull(composed: Composed, strategy: str, instrument: str) -> None:
    """Pull the quotes."""
    signal = composed.signal(instrument, intent=Intent.QUOTE, strategy=strategy)
    composed.take(msgspec.structs.replace(signal, legs=0))


def step(composed: Composed, number: int, kind: str, strategy: str, instrument: str,
         side: Side, more: OrderStyle | float) -> None:  # fmt: skip
    """Do one thing."""
    if not isinstance(more, OrderStyle):
        if kind == "wait":
            composed.beat(more)
        else:
            price = composed.prices[instrument] * (1 + side.sign * more)
            composed.move(instrument, round(price, 1))
        return
    match kind:
        case "open":
            composed.take(
                composed.signal(instrument, side, strategy=strategy, style=more, scale=0.2)
            )
        case "pair":
            pair(composed, strategy, instrument, side, number)
        case "quote":
            quotes(composed, strategy, instrument, number)
        case "reduce":
            composed.take(
                composed.signal(instrument, side, Intent.REDUCE, strategy=strategy, scale=0.5)
            )
        case _:
            composed.take(composed.signal(instrument, side, Intent.CLOSE, strategy=strategy))


@settings(max_examples=50, deadline=None)
@example(steps=TWO_OPENED, delays=[], doubled=False)
@example(steps=STOP_FILLED_AT_ONCE, delays=[1, 0, 0, 0, 0, 0], doubled=False)
@given(steps=STEPS, delays=st.lists(st.integers(0, 1500), max_size=60), doubled=st.booleans())
def test_whatever_happens_nothing_is_left_behind(
    steps: list[tuple[str, str, str, Side, OrderStyle | float]], delays: list[int], doubled: bool
) -> None:
    """Slots never exceed the maximum, and once all is pulled and closed none is held."""
    left = list(delays)

    def tamper(due: int, event: Event) -> list[tuple[int, Event]]:
        late = due + (left.pop() if left else 0) * MILLISECOND
        return [(late, event), (late + 300 * MILLISECOND, event)] if doubled else [(late, event)]

    composed = Composed(tamper, RISK__MAX_POSITIONS=str(MAXIMUM))
    for number, (kind, strategy, instrument, side, more) in enumerate(steps):
        step(composed, number, kind, strategy, instrument, side, more)
        assert composed.system.tracker.occupied <= MAXIMUM
    composed.beat(5)
    for _ in range(2):
        for strategy in ("alpha", "beta"):
            for instrument in PRICES:
                pull(composed, strategy, instrument)
                composed.take(composed.signal(instrument, intent=Intent.CLOSE, strategy=strategy))
        composed.beat(20)
    composed.beat(40)
    composed.check_flat()
    for one in composed.system.funnel.strategies.values():
        assert one.signals == one.order_requests + one.withdrawals + sum(one.rejections.values())
    OPENED.append(len(composed.of(PositionOpened)))


def test_the_random_runs_did_trade() -> None:
    """The property above means something: its examples opened positions."""
    assert max(OPENED, default=0) > 1
