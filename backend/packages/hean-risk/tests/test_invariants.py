"""Any sequence of signals, reports, prices and failures: what the gate may never do."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from hean.config import HEANSettings
from hean.core.events.decision import OrderRequest, SignalRejected, SignalWithdrawn
from hean.core.events.market import Side
from hean.core.events.reasons import ReasonCode
from hean.core.events.risk import RiskState
from hean.core.events.strategy import Signal
from hean.risk import Entry, Factors, GroupRules, Place, PositionSizer, RiskSettings, Room, Sizing

from .playing import ENDS, INSTRUMENTS, NAMES, Player

SECOND = 10**9
STRATEGY = st.sampled_from(NAMES)
INSTRUMENT = st.sampled_from(INSTRUMENTS)
SIDE = st.sampled_from(list(Side))
STOP = st.sampled_from([0.003, 0.01, 0.02, 0.08])
SCALE = st.sampled_from([0.0, 0.3, 1.0, 1.2])
NUMBER = st.integers(0, 11)
MOVE = st.floats(-0.03, 0.03)
TROUBLE = ("down", "halt", "flatten", "break", "crash", "lose")
CURES = ("up", "reset_kill_switch", "mend", "none")


class Recording:
    """The shipped sizer, with its answers on record."""

    def __init__(self) -> None:
        self.sizer = PositionSizer(settings=HEANSettings(), section=RiskSettings())
        self.answers: list[Sizing] = []

    def size(self, entry: Entry, room: Room, place: Place, factors: Factors) -> Sizing:
        """Size one order."""
        self.answers.append(self.sizer.size(entry, room, place, factors))
        return self.answers[-1]

    def size_group(
        self,
        entries: Sequence[Entry],
        room: Room,
        places: Sequence[Place],
        factors: Factors,
        rules: GroupRules,
    ) -> tuple[Sizing, ...]:
        """Size the legs of a group."""
        found = self.sizer.size_group(entries, room, places, factors, rules)
        self.answers.extend(found)
        return found


class GateMachine(RuleBasedStateMachine):
    """P3, P4, P5, P8: one decision a signal, zero stays zero, every limit holds after a mint."""

    def __init__(self) -> None:
        super().__init__()
        self.sizer = Recording()
        self.player = Player(sizer=self.sizer)
        self.is_broken = self.is_down = False
        self.beat_at = self.player.system.now

    @rule(
        kind=st.sampled_from(["open", "open", "pair", "quotes"]),
        strategy=STRATEGY, instrument=INSTRUMENT, side=SIDE, stop=STOP, scale=SCALE,
    )  # fmt: skip
    def ask(
        self, kind: str, strategy: str, instrument: str, side: Side, stop: float, scale: float
    ) -> None:
        self.sizer.answers.clear()
        before = len(self.player.system.recorder.events)
        asked = self.player.ask(kind, strategy, instrument, side, stop=stop, scale=scale)
        minted = self.player.follow()
        self._check_decisions(asked, before)
        self._check_sizes(minted)
        if minted:
            self._check_open()
            self.player.book.check(minted)

    def _check_decisions(self, asked: Sequence[Signal], before: int) -> None:
        """J5: exactly one decision for each signal, a refusal with a known code and its layer."""
        answers: dict[str, int] = {one.signal_id: 0 for one in asked}
        for event in self.player.system.recorder.events[before:]:
            match event:
                case OrderRequest() | SignalRejected() | SignalWithdrawn():
                    if event.signal_id:
                        answers[event.signal_id] += 1
                case _:
                    pass
            if isinstance(event, SignalRejected):
                assert event.code in set(ReasonCode)
                assert event.layer
        assert set(answers.values()) == {1}

    def _check_sizes(self, minted: Sequence[OrderRequest]) -> None:
        """J6: a zero of the sizer is POSITION_SIZER_ZERO with a cap, anything else is not."""
        answers = self.sizer.answers
        refused = self.player.system.of(SignalRejected)
        zeros = [one for one in answers if not one.quantity]
        if zeros:
            assert not minted
            newest = [one for one in refused if one.code is ReasonCode.POSITION_SIZER_ZERO]
            assert newest[-1].layer == f"sizer.{zeros[0].cap}" != "sizer."
            assert newest[-1].ts_init == self.player.system.now
        self.zeros = getattr(self, "zeros", 0) + bool(zeros)
        counted = sum(one.code is ReasonCode.POSITION_SIZER_ZERO for one in refused)
        assert counted == self.zeros
        for order in minted:
            assert order.quantity > 0
            assert order.quantity in [one.quantity for one in answers]

    def _check_open(self) -> None:
        """J11: who minted an entry was not latched, not blind, and had computed."""
        risk, now = self.player.system.risk, self.player.system.now
        assert not risk.kill_switch.is_latched
        assert risk.governor.state is not RiskState.HARD_STOP
        assert now - self.beat_at <= 5 * SECOND
        assert not self.is_broken
        assert not self.is_down

    @precondition(lambda self: self.player.book.positions)
    @rule(number=NUMBER)
    def close(self, number: int) -> None:
        """J11: whatever bars entries, a CLOSE of what nothing closes yet is minted."""
        strategy, instrument = self._held(number)
        open_before = self.player.book.closable((strategy, instrument))
        held = self.player.book.positions.get((strategy, instrument))
        before = len(self.player.system.recorder.events)
        asked = self.player.leave(strategy, instrument, None)
        self._check_decisions([asked], before)
        orders = [
            one
            for one in self.player.system.recorder.events[before:]
            if isinstance(one, OrderRequest) and one.signal_id == asked.signal_id
        ]
        assert len(orders) == (1 if open_before > 0 else 0)
        for order in orders:
            assert held is not None
            assert order.quantity == open_before
            assert order.side.sign * held.quantity < 0
        assert not self.player.follow()

    def _held(self, number: int) -> tuple[str, str]:
        keys = list(self.player.book.positions)
        return keys[number % len(keys)]

    @precondition(lambda self: self.player.book.positions)
    @rule(number=NUMBER, scale=st.sampled_from([0.0, 0.3, 1.0]))
    def reduce(self, number: int, scale: float) -> None:
        strategy, instrument = self._held(number)
        before = len(self.player.system.recorder.events)
        asked = self.player.leave(strategy, instrument, scale)
        self._check_decisions([asked], before)
        refused = self.player.system.of(SignalRejected)
        if refused and refused[-1].signal_id == asked.signal_id:
            self.zeros = getattr(self, "zeros", 0) + 1
        self.player.follow()

    @precondition(lambda self: self.player.book.orders)
    @rule(strategy=STRATEGY, instrument=INSTRUMENT)
    def pull(self, strategy: str, instrument: str) -> None:
        before = len(self.player.system.recorder.events)
        self._check_decisions([self.player.pull(strategy, instrument)], before)
        self.player.follow()

    @precondition(lambda self: self.player.book.orders)
    @rule(number=NUMBER, wholly=st.booleans())
    def fill(self, number: int, wholly: bool) -> None:
        self.player.fill(number, wholly=wholly)
        self.player.follow()

    @precondition(lambda self: self.player.book.orders)
    @rule(how=st.sampled_from(sorted(ENDS)), number=NUMBER)
    def end(self, how: str, number: int) -> None:
        self.player.end(how, number)
        self.player.follow()

    @rule(instrument=INSTRUMENT, move=MOVE)
    def price(self, instrument: str, move: float) -> None:
        self.player.price(instrument, move)
        self.beat_at = self.player.system.now
        self.player.follow()

    @rule(seconds=st.sampled_from([1, 1, 3, 7]))
    def wait(self, seconds: int) -> None:
        self.player.system.advance(seconds)
        self.player.follow()

    @rule(move=st.sampled_from([-0.02, -0.01, 0.005, 0.01, 0.03]))
    def value(self, move: float) -> None:
        self.player.value(round(self.player.system.nav * (1 + move), 9))
        self.player.follow()

    @rule(names=st.lists(STRATEGY, unique=True, min_size=3))
    def settle(self, names: list[str]) -> None:
        self.player.wallet()
        self.player.system.activate(*names)
        self.player.follow()

    @rule(what=st.sampled_from([*TROUBLE, *CURES, *CURES, *CURES]))
    def trouble(self, what: str) -> None:
        match what:
            case "break" if not self.is_broken:
                self._break()
            case "mend" if self.is_broken:
                sentinel = self.player.system.risk.sentinel
                del sentinel._calculate  # pyright: ignore[reportPrivateUsage]
                self.is_broken = False
                self.player.value(self.player.system.nav)
            case "down" | "up":
                self.is_down = what == "down"
                self.player.connection(up=what == "up")
            case "halt" | "flatten" | "reset_kill_switch":
                self.player.command(what)
            case "crash":
                self.player.value(round(self.player.system.nav * 0.88, 9))
            case "lose":
                self.player.lose("alpha")
            case _:
                pass
        self.player.follow()

    def _break(self) -> None:
        """Let every recomputation fail from now on."""

        def fail() -> None:
            raise ArithmeticError("cannot be computed")

        sentinel = self.player.system.risk.sentinel
        sentinel._calculate = fail  # pyright: ignore[reportPrivateUsage]
        self.is_broken = True
        self.player.value(self.player.system.nav)


GateMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
test_no_entry_breaks_a_limit = GateMachine.TestCase


ASKS = st.lists(
    st.tuples(
        st.sampled_from(["open", "pair", "quotes"]), STRATEGY, INSTRUMENT, SIDE,
        st.sampled_from([0.005, 0.02, 0.05]),
    ),
    min_size=4, max_size=14,
)  # fmt: skip


TWELVE = [(name, where) for where in INSTRUMENTS for name in NAMES[:4]]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(ASKS, st.sampled_from([0.0, 0.01, 0.02])), min_size=1, max_size=12))
@example([([("open", name, where, Side.BUY, 0.05) for name, where in TWELVE], 0.0)] * 16)
def test_stop_outs_alone_never_reach_the_floor(
    rounds: list[tuple[list[tuple[str, str, str, Side, float]], float]],
) -> None:
    """J10: open whatever the gate lets open, lose every stop at once, again and again: E > F."""
    player = Player()
    lost = 0
    for asks, gain in rounds:
        for kind, strategy, instrument, side, stop in asks:
            player.ask(kind, strategy, instrument, side, stop=stop, scale=1.2)
            player.follow()
        loss = player.book.open_risk()
        lost += loss > 0
        nav = player.system.nav * (1.0 - float(loss) / float(player.equity))
        assert nav > 0.8 * player.system.high_water_mark
        while player.book.orders:
            player.end("cancel", 0)
            player.follow()
        player.system.advance(86_400)
        player.tick()
        player.value(round(nav, 9))
        player.value(round(nav * (1 + gain), 9))
        player.wallet()
    assert lost > 0


BLOCKS = st.lists(
    st.tuples(st.sampled_from(["lose", "jump", "price", "value", "gap"]), NUMBER, MOVE),
    min_size=1, max_size=30,
)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(BLOCKS)
@example([("lose", 0, 0.0)] * 20)
@example([("jump", 0, 0.0), ("value", 0, -0.03), ("value", 0, -0.03)])
def test_every_block_ends_by_time_alone(steps: list[tuple[str, int, float]]) -> None:
    """J13: streaks, anomalies and day losses bar entries for a time; none needs a trade to end."""
    player = Player()
    for _ in range(21):
        player.price(INSTRUMENTS[0], 0.0)
    for kind, number, move in steps:
        instrument = INSTRUMENTS[number % 3]
        match kind:
            case "lose":
                player.lose(NAMES[number % 5])
            case "jump":
                player.jump(instrument)
            case "gap":
                player.gap(instrument)
            case "price":
                player.price(instrument, 3 * move)
            case _:
                player.value(max(0.91, round(player.system.nav * (1 + move), 9)))
    for seconds in (*[0] * 65, 86_400, 0):
        player.system.advance(seconds)
        player.price(INSTRUMENTS[0], 0.0)
    sentinel = player.system.risk.sentinel
    sentinel.refresh()
    for strategy in NAMES:
        for instrument in INSTRUMENTS:
            assert sentinel.barred(strategy, instrument) is None
