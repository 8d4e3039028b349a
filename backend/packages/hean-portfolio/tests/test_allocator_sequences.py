"""The allocator as a state machine: whatever happens in whatever order, its weights keep bounds."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from hean.core.events import (
    Affinity,
    CapitalAllocated,
    Cycle,
    EdgeGuardChanged,
    Event,
    GuardMode,
    Phase,
    Regime,
    RegimeChanged,
    WalletUpdated,
)
from hean.core.testing import (
    BTC,
    ETH,
    HOUR,
    btc_perpetual,
    eth_perpetual,
    mark,
    position_closed,
    profile,
    registered,
)

from .scenes import Stage, envelope_of, limit_of

NAMES = (
    "basis_arbitrage", "correlation_arb", "enhanced_grid", "funding_harvester", "hf_scalping",
    "impulse_engine", "inventory_neutral_mm", "liquidity_sweep", "momentum_trader",
    "rebate_farmer", "sentiment_strategy",
)  # fmt: skip
SETS = st.one_of(
    st.sampled_from(
        [
            ("basis_arbitrage", "funding_harvester"),
            ("impulse_engine", "momentum_trader"),
            ("enhanced_grid", "sentiment_strategy"),
            ("hf_scalping", "inventory_neutral_mm", "liquidity_sweep"),
            NAMES[:8],
            NAMES,
        ]
    ),
    st.sets(st.sampled_from(NAMES)).map(lambda one: tuple(sorted(one))),
)
UNIT = 10_000


def stage_of(mode: str, order: int) -> Stage:
    """Return an allocator at 300 USDT that knows all eleven, registered in an order."""
    stage = Stage(mode=mode, instruments=(btc_perpetual(), eth_perpetual()))
    stage.system.take(mark(100_000.0), mark(3_500.0, instrument=ETH))
    for place, name in list(enumerate(NAMES))[::order]:
        found = profile(name, stop_bp=50.0 + 25.0 * place)
        where = (BTC,) if place % 3 == 0 else (ETH,)
        stage.know(
            replace(found, instruments=where, affinity=Affinity(favoured=("ice",), avoided=()))
        )
    return stage


class Sequences(RuleBasedStateMachine):
    """Sets, outcomes, phases, equity, guard, prices and time; beside it a restarted twin."""

    mode = "paper"

    def __init__(self) -> None:
        super().__init__()
        self.stage, self.twin = stage_of(self.mode, 1), stage_of(self.mode, -1)
        self.version = 0
        self.active: tuple[str, ...] = ()
        self.live: set[str] = set()
        for name in NAMES[::2]:
            self.guard(name, GuardMode.PROBE)
        self.activate(NAMES[2:8], late=False)
        for turn in range(9):
            for place, name in enumerate(NAMES):
                self.close(name, (7 * place + turn) % 9 + place - 9, 1)
            self.wait(480)

    def take(self, event: Event) -> None:
        """Give an event to both."""
        self.stage.system.take(event)
        self.twin.system.take(event)

    @property
    def now(self) -> int:
        return self.stage.system.now

    @rule(names=SETS, late=st.booleans())
    def activate(self, names: tuple[str, ...], *, late: bool) -> None:
        """A set becomes the active one; perhaps an older one arrives after it."""
        self.version += 1
        self.active = names
        for stage in (self.stage, self.twin):
            stage.activate(*names, version=self.version)
            if late and self.version > 1:
                stage.activate(*NAMES[:3], version=self.version - 1)

    @rule(name=st.sampled_from(NAMES), tenths=st.integers(-30, 30), often=st.integers(1, 40))
    def close(self, name: str, tenths: int, often: int) -> None:
        """A strategy closes trades of equal result."""
        for _ in range(often):
            self.take(position_closed(name, net=str(tenths / 10), at=self.now))

    @rule(minutes=st.sampled_from([5, 50, 61, 61, 61, 480, 1440]))
    def wait(self, minutes: int) -> None:
        """Time passes: timers, cooldowns and bins fall due."""
        for stage in (self.stage, self.twin):
            stage.system.advance(60.0 * minutes)

    @rule(phase=st.sampled_from(Phase), confidence=st.sampled_from([0.0, 0.1, 0.9]))
    def turn(self, phase: Phase, confidence: float) -> None:
        """The phase of BTC changes."""
        self.take(
            RegimeChanged(
                ts_event=self.now, ts_init=self.now, instrument=BTC, ready=True,
                regime=Regime.NORMAL, phase=phase, cycle=Cycle.MARKUP, regime_confidence=0.5,
                phase_confidence=confidence, cycle_confidence=0.2, moved=("phase",),
            )
        )  # fmt: skip

    @rule(amount=st.sampled_from([-290, -100, -1, 1, 100, 3000]))
    def flow(self, amount: int) -> None:
        """Money comes or goes."""
        now, wallet = self.now, Decimal(300)
        self.take(
            WalletUpdated(
                ts_event=now, ts_init=now, wallet=wallet, available=wallet,
                transfer=Decimal(amount),
            )
        )  # fmt: skip

    @rule(
        multiplier=st.sampled_from([1.0, 0.7, 0.3, 0.0]), name=st.sampled_from(NAMES),
        factor=st.sampled_from([1.2, 1.0, 0.4]),
    )  # fmt: skip
    def limit(self, multiplier: float, name: str, factor: float) -> None:
        """The envelope tells another drawdown multiplier and another size factor."""
        self.take(envelope_of(multiplier, limit_of(name, size_factor=factor), at=self.now))

    @rule(price=st.sampled_from([1_000.0, 3_500.0, 30_000.0]))
    def move(self, price: float) -> None:
        """A price moves: smallest viable budgets come and go."""
        self.take(mark(price, instrument=ETH, at=self.now))

    @rule(name=st.sampled_from(NAMES), mode=st.sampled_from(GuardMode))
    def guard(self, name: str, mode: GuardMode) -> None:
        """A guard cell changes its mode."""
        (self.live.discard if mode is GuardMode.SHADOW else self.live.add)(name)
        self.take(
            EdgeGuardChanged(
                ts_event=self.now, ts_init=self.now, strategy=name, cell="c", mode=mode,
                previous=GuardMode.SHADOW, outcomes=1, posterior_mean_bp=0.0,
                posterior_error_bp=0.0, last_mean_bp=0.0, cost_bp=0.0,
            )
        )  # fmt: skip

    @rule(name=st.sampled_from(NAMES), version=st.integers(1, 3))
    def renew(self, name: str, version: int) -> None:
        """A strategy comes back, perhaps in another version."""
        found = replace(profile(name, stop_bp=80.0), version=str(version), instruments=(ETH,))
        self.take(registered(found, at=self.now))

    @rule()
    def restart(self) -> None:
        """The twin goes through its bytes."""
        for one in self.twin.components:
            one.restore(one.snapshot())

    @invariant()
    def bounded(self) -> None:
        """C1, J4: 0 or in [floor, cap], sum, clusters, shift; who is not active has nothing."""
        found = self.stage.system.of(CapitalAllocated)
        if not found:
            return
        last = found[-1]
        assert [one.strategy for one in last.lines] == sorted(NAMES)
        assert last.active_version == self.version
        total, clusters = 0, dict[str, int]()
        for line in last.lines:
            units = round(line.weight * UNIT)
            assert units == 0 or 500 <= units <= 4000
            is_live = self.mode != "live" or line.strategy in self.live
            assert units == 0 or (line.strategy in self.active and is_live)
            total += units
            clusters[line.cluster] = clusters.get(line.cluster, 0) + units
        assert total <= 8000
        if self.stage.system.agenda.now == last.ts_init:
            assert all(one <= 4000 for name, one in clusters.items() if name)

    @invariant()
    def paced(self) -> None:
        """J4: no weight gains more than 0.10 in an hour, and each object follows from the last."""
        found = self.stage.system.of(CapitalAllocated)
        for before, after in pairwise(found[-12:]):
            assert after.version == before.version + 1
            assert [one.previous for one in after.lines] == [one.weight for one in before.lines]
        for after in found[-12:]:
            for before in found[-24:]:
                if 0 <= after.ts_init - before.ts_init < HOUR and before.version < after.version:
                    for one, other in zip(after.lines, before.lines, strict=True):
                        assert round((one.weight - other.weight) * UNIT) <= 1000

    @invariant()
    def repeated(self) -> None:
        """C7, J15: registered in another order and restarted at any time, it says the same."""
        mine, others = (one.system.of(CapitalAllocated) for one in (self.stage, self.twin))
        assert len(mine) == len(others)
        assert mine[-6:] == others[-6:]


class LiveSequences(Sequences):
    """The same where the guard is enforced."""

    mode = "live"


Sequences.TestCase.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
LiveSequences.TestCase.settings = settings(max_examples=10, stateful_step_count=25, deadline=None)
TestSequences = Sequences.TestCase
TestSequences.__doc__ = "C1, C7, J4, J15: bounds, shift and bytes hold over any sequence of events."
TestLiveSequences = LiveSequences.TestCase
TestLiveSequences.__doc__ = "C1, J4: the same, and without a live guard cell there is no weight."
