"""A system that is killed again and again, beside one that never was."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

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

    @rule(strategy=STRATEGY, instrument=INSTRUMENT, scale=st.sampled_from([None, 0.5]))
    def leave(self, strategy: str, instrument: str, scale: float | None) -> None:
        self.both(lambda one: one.leave(strategy, instrument, scale))

    @rule(number=NUMBER, wholly=st.booleans())
    def fill(self, number: int, wholly: bool) -> None:
        self.both(lambda one: one.fill(number, wholly=wholly))

    @rule(how=st.sampled_from(sorted(ENDS)), number=NUMBER)
    def end(self, how: str, number: int) -> None:
        self.both(lambda one: one.end(how, number))

    @rule(instrument=INSTRUMENT, move=st.floats(-0.03, 0.03))
    def price(self, instrument: str, move: float) -> None:
        self.both(lambda one: one.price(instrument, move))

    @rule(seconds=st.sampled_from([1, 5, 40, 1800, 86_400]))
    def wait(self, seconds: int) -> None:
        self.both(lambda one: one.system.advance(seconds))

    @rule(instrument=INSTRUMENT, kind=st.sampled_from(["jump", "gap", "tick", "wallet"]))
    def market(self, instrument: str, kind: str) -> None:
        match kind:
            case "jump":
                self.both(lambda one: one.jump(instrument))
            case "gap":
                self.both(lambda one: one.gap(instrument))
            case "tick":
                self.both(lambda one: one.tick())
            case _:
                self.both(lambda one: one.wallet())

    @rule(move=st.sampled_from([-0.05, -0.02, 0.01, 0.04]))
    def value(self, move: float) -> None:
        self.both(lambda one: one.value(round(one.system.nav * (1 + move), 9)))

    @rule(strategy=STRATEGY)
    def lose(self, strategy: str) -> None:
        self.both(lambda one: one.lose(strategy))

    @rule(names=st.lists(STRATEGY, unique=True, min_size=1))
    def activate(self, names: list[str]) -> None:
        self.both(lambda one: one.system.activate(*names))

    @rule(names=st.lists(STRATEGY, unique=True, min_size=1), tier=st.sampled_from(list(Tier)))
    def allocate(self, names: list[str], tier: Tier) -> None:
        self.version += 1
        weights = dict.fromkeys(names, 0.15)
        self.both(lambda one: one.system.allocate(weights, version=self.version, tier=tier))

    @rule(up=st.booleans())
    def connection(self, up: bool) -> None:
        self.both(lambda one: one.connection(up=up))

    @rule(command=st.sampled_from(["halt", "flatten", "reset_kill_switch", "reset_kill_switch"]))
    def command(self, command: str) -> None:
        self.both(lambda one: one.command(command))

    def teardown(self) -> None:
        for one, other in zip(
            self.alive.system.risk.components, self.killed.system.risk.components, strict=True
        ):
            assert other.snapshot() == one.snapshot(), one.name


RestartMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
test_a_restart_at_any_event_changes_nothing = RestartMachine.TestCase
