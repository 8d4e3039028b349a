from __future__ import annotations

from hean.core.events import (
    FrequencyClass,
    Need,
    OrderStyle,
    Quote,
    ReasonCode,
    Signal,
    SignalRejected,
)
from hean.core.synthetic.paths import bar_log, walk
from hean.core.testing import (
    BTC,
    ETH,
    HOUR,
    MINUTE,
    START,
    MiniSystem,
    btc_perpetual,
    order_request,
    quote,
    rejected,
    signal,
)
from hean.strategies.bench import Log, build
from hean.strategies.decisions import refuse
from hean.strategies.desk import wished
from hean.strategies.momentum_trader import MomentumSettings, MomentumTrader

CARRIES = (Need.QUOTES, Need.BARS)
LOG = Log(
    instruments=(btc_perpetual(),), carries={BTC: CARRIES}, events=(),
    bar_intervals={BTC: 15 * MINUTE},
)  # fmt: skip


def _attached() -> tuple[MiniSystem, MomentumTrader]:
    system = MiniSystem(instruments=(btc_perpetual(),))
    kind = build(MomentumTrader, LOG)
    one = MomentumTrader(section=MomentumSettings(), bus=system.bus, markets=kind.markets)
    return system, system.add(one)


def test_a_strategy_speaks_over_the_bus() -> None:
    """On the bus a trend ends in a signal of the strategy, others' instruments stay unheard."""
    system, one = _attached()
    prices = walk(1, 8 * 96, start=60_000.0, sigma_bp=10.0, drift_bp=4.0)
    system.take(*bar_log(BTC, prices, begin=START, interval=15 * MINUTE, wick_bp=5.0))
    assert [said.strategy for said in system.of(Signal)] == ["momentum_trader"]
    system.take(quote(instrument=ETH, at=system.now))
    assert list(one.state.desks) == [BTC]


def test_only_own_reports_are_heard() -> None:
    """The rejection of another strategy's order leaves an own entry alone; one's own ends it."""
    system, one = _attached()
    mine = signal("momentum_trader")
    one.state.desks[BTC].entry = wished(mine)
    system.take(rejected(order_request("alpha")))
    assert one.state.desks[BTC].entry is not None
    system.take(rejected(order_request("momentum_trader")))
    assert one.state.desks[BTC].entry is None


def test_the_profile_is_the_row_with_a_digest_of_the_parameters() -> None:
    """Two parameter sets have two digests; the rest is the row's."""
    one = build(MomentumTrader, LOG)
    other = build(MomentumTrader, LOG, MomentumSettings(enter=0.6))
    assert one.profile.parameters_sha256 != other.profile.parameters_sha256
    assert one.profile.frequency is FrequencyClass.MEDIUM
    assert one.profile.styles == (OrderStyle.POST_ONLY, OrderStyle.LIMIT_IOC)
    assert one.profile.instruments == (BTC,)
    assert one.profile.runs_on_bars


def test_the_status_is_a_sentence() -> None:
    """Waiting, working and holding are said in words, with the numbers of the last refusal."""
    one = build(MomentumTrader, LOG)
    desk = one.state.desks[BTC]
    refuse(one.state, desk, START, ReasonCode.COOLDOWN, 12.0, 30.0)
    text = "waiting because the strategy waits between two attempts (12 against 30)"
    assert one.status(BTC) == text
    desk.entry = wished(signal())
    assert "own order" in one.status(BTC)
    assert one.status(ETH) == "does not trade this instrument"


def test_a_restored_strategy_keeps_new_instruments() -> None:
    """Desks the snapshot lacks stay fresh, those it has are taken over."""
    one = build(MomentumTrader, LOG)
    one.state.desks[BTC].score = 0.7
    saved = one.snapshot()
    fresh = build(MomentumTrader, LOG)
    fresh.state.desks[ETH] = fresh.state.desks[BTC]
    fresh.restore(saved)
    assert fresh.state.desks[BTC].score == 0.7
    assert ETH in fresh.state.desks


def test_evaluations_are_counted_and_refused_on_the_bus() -> None:
    """While warming up each bar close is refused once, in the strategy's own name."""
    system, one = _attached()
    system.take(*bar_log(BTC, [60_000.0] * 4, begin=START, interval=15 * MINUTE))
    assert [said.code for said in system.of(SignalRejected)] == [ReasonCode.WARMING_UP] * 4
    assert one.state.sequence == 4
    assert system.of(Quote)
    assert system.now >= START + HOUR
