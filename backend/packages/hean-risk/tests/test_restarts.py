"""A system that is killed again and again, beside one that never was."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from hean.core.events.decision import OrderRequest, SignalRejected, SignalWithdrawn
from hean.core.events.market import Side
from hean.core.events.portfolio import Tier
from hean.core.events.risk import (
    KillSwitchReset,
    KillSwitchTripped,
    RiskEnvelope,
    RiskStateChanged,
)
from hean.core.events.union import encode

from .playing import ENDS, INSTRUMENTS, NAMES, Player

DECISIONS = (
    OrderRequest, SignalRejected, SignalWithdrawn, RiskEnvelope, RiskStateChanged,
    KillSwitchTripped, KillSwitchReset,
)  # fmt: skip
STRATEGY = st.sampled_from(NAMES)
INSTRUMENT = st.sampled_from(INSTRUMENTS)
SIDE = st.sampled_from(list(Side))
NUMBER = st.integers(0, 11)
RARE = (
    "jump", "gap", "wallet", "lose", "up", "up", "down", "halt", "flatten", "flatten",
    "reset_kill_switch", "reset_kill_switch", "1", "5", "40", "1800", "86400",
)  # fmt: skip


class RestartMachine(RuleBasedStateMachine):
    """P10, J12: a restart at any event leaves every risk state, and every next decision, alike.

    What is not in a snapshot is derived: the one that goes on has warm caches, the other cold ones.
    """

    def __init__(self) -> None:
        super().__init__()
        self.alive, self.killed = Player(), Player()
        self.version = 0

    def both(self, act: Callable[[Player], object]) -> None:
        """Let the same happen to both, and compare what they decided."""
        told: list[list[bytes]] = []
        for player in (self.alive, self.killed):
            before = len(player.system.recorder.events)
            act(player)
            events = player.system.recorder.events[before:]
            told.append([encode(one) for one in events if isinstance(one, DECISIONS)])
            player.follow()
        assert told[0] == told[1]

    @rule()
    def restart(self) -> None:
        before = [one.snapshot() for one in self.killed.system.risk.components]
        self.killed.restart()
        assert [one.snapshot() for one in self.killed.system.risk.components] == before

    @rule(
        kind=st.sampled_from(["open", "pair", "quotes"]), strategy=STRATEGY,
        instrument=INSTRUMENT, side=SIDE, stop=st.sampled_from([0.01, 0.02]),
    )  # fmt: skip
    def ask(self, kind: str, strategy: str, instrument: str, side: Side, stop: float) -> None:
        self.both(lambda one: one.ask(kind, strategy, instrument, side, stop=stop, scale=0.7))

    @precondition(lambda self: self.alive.book.positions)
    @rule(number=NUMBER, scale=st.sampled_from([None, 0.5]))
    def leave(self, number: int, scale: float | None) -> None:
        keys = list(self.alive.book.positions)
        strategy, instrument = keys[number % len(keys)]
        self.both(lambda one: one.leave(strategy, instrument, scale))

    @precondition(lambda self: self.alive.book.orders)
    @rule(number=NUMBER, wholly=st.booleans())
    def fill(self, number: int, wholly: bool) -> None:
        self.both(lambda one: one.fill(number, wholly=wholly))

    @precondition(lambda self: self.alive.book.orders)
    @rule(how=st.sampled_from(sorted(ENDS)), number=NUMBER)
    def end(self, how: str, number: int) -> None:
        self.both(lambda one: one.end(how, number))

    @rule(instrument=INSTRUMENT, move=st.floats(-0.02, 0.02))
    def price(self, instrument: str, move: float) -> None:
        self.both(lambda one: one.price(instrument, move))

    @rule(move=st.sampled_from([-0.05, -0.01, 0.01, 0.01, 0.04]))
    def value(self, move: float) -> None:
        self.both(lambda one: one.value(round(one.system.nav * (1 + move), 9)))

    @rule(names=st.lists(STRATEGY, unique=True, min_size=3), tier=st.sampled_from([None, *Tier]))
    def settle(self, names: list[str], tier: Tier | None) -> None:
        if tier is None:
            self.both(lambda one: one.system.activate(*names))
            return
        self.version += 1
        weights = dict.fromkeys(names, 0.15)
        self.both(lambda one: one.system.allocate(weights, version=self.version, tier=tier))

    @rule(what=st.sampled_from(RARE), instrument=INSTRUMENT, strategy=STRATEGY)
    def rare(self, what: str, instrument: str, strategy: str) -> None:
        match what:
            case "jump":
                self.both(lambda one: one.jump(instrument))
            case "gap":
                self.both(lambda one: one.gap(instrument))
            case "wallet":
                self.both(lambda one: one.wallet())
            case "lose":
                self.both(lambda one: one.lose(strategy))
            case "up" | "down":
                self.both(lambda one: one.connection(up=what == "up"))
            case "halt" | "flatten" | "reset_kill_switch":
                self.both(lambda one: one.command(what))
            case _:
                self.both(lambda one: one.system.advance(int(what)))

    def teardown(self) -> None:
        for one, other in zip(
            self.alive.system.risk.components, self.killed.system.risk.components, strict=True
        ):
            assert other.snapshot() == one.snapshot(), one.name


RestartMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
test_a_restart_at_any_event_changes_nothing = RestartMachine.TestCase
