from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hean.core.edge import SHADOW_LATENCY_NS, markout_bp
from hean.core.events import PlanFault, Quote
from hean.core.testing import SECOND, START, quote
from hean.strategies.quote_proof import LEAST_FILLS, QuoteProof
from hean.strategies.quoting import Quoted

TICK = 0.1
TTL = 30 * SECOND
BID, ASK = 59_990.0, 60_010.0
ARRIVED = START + SHADOW_LATENCY_NS


def _quoted(sign: int, price: float, name: str = "") -> Quoted:
    return Quoted(
        signal_id=name, order_id=name or f"{sign}", sign=sign, price=price, published=START
    )


def _market(middle: float = 60_000.0, at: int = START) -> Quote:
    return quote(middle - 0.05, middle + 0.05, at=at)


def _followed() -> QuoteProof:
    """Return a proof that follows a pair ten away from a mid of 60,000."""
    proof = QuoteProof()
    proof.follow([_quoted(1, BID), _quoted(-1, ASK)], START, TTL)
    return proof


def _fill_bid(proof: QuoteProof, at: int, *, later: float) -> None:
    """Fill a bid 10 below mid at `at` and leave mid at `later` to both horizons."""
    proof.follow([_quoted(1, BID)], at, TTL)
    proof.look(BID - 1.0, BID - 1.0, TICK, _market(), at + SECOND)
    proof.on_second(at + 11 * SECOND, later)
    proof.on_second(at + 61 * SECOND, later)


def proven(count: int, *, later: float = 60_000.0) -> QuoteProof:
    """Return a proof of `count` fills after each of which mid came to `later`."""
    proof = QuoteProof()
    for number in range(count):
        _fill_bid(proof, START + number * 100 * SECOND, later=later)
    return proof


def test_a_touch_is_no_fill_and_neither_is_an_early_trade() -> None:
    """Only a trade a tick beyond, 150 ms after the signal, fills; a touch or an early one never."""
    proof = _followed()
    proof.look(BID, BID, TICK, _market(), ARRIVED)
    proof.look(BID - TICK, BID - TICK, TICK, _market(), ARRIVED - 1)
    assert not proof.fills
    proof.look(BID - TICK, BID - TICK, TICK, _market(), ARRIVED)
    assert [(one.sign, one.at) for one in proof.fills] == [(1, ARRIVED)]
    proof.look(ASK + TICK, ASK + TICK, TICK, _market(), ARRIVED)
    assert [one.sign for one in proof.fills] == [1, -1]
    assert not proof.quotes


def test_a_quote_is_crossed_by_the_other_side() -> None:
    """A bid fills when the ask falls below it, not when the bid does."""
    proof = _followed()
    proof.look(BID - 50.0, BID, TICK, _market(), ARRIVED)
    assert not proof.fills
    proof.look(BID - 50.0, BID - TICK, TICK, _market(), ARRIVED)
    assert len(proof.fills) == 1


def test_a_quote_counts_once() -> None:
    """What filled as an own order does not fill again in thought, nor the other way round."""
    proof = _followed()
    proof.on_own_fill("1", _market(), ARRIVED)
    proof.look(BID - 1.0, BID - 1.0, TICK, _market(), ARRIVED)
    assert len(proof.fills) == 1
    proof.look(ASK + 1.0, ASK + 1.0, TICK, _market(), ARRIVED)
    proof.on_own_fill("-1", _market(), ARRIVED)
    assert len(proof.fills) == 2


def test_quotes_expire_and_are_withdrawn() -> None:
    """After its time, or pulled, a quote fills no more."""
    for proof in (_followed(), _followed()):
        proof.on_second(ARRIVED + TTL, 60_000.0)
        assert not proof.quotes
    pulled = _followed()
    pulled.withdraw()
    pulled.look(BID - 1.0, BID - 1.0, TICK, _market(), ARRIVED)
    assert not pulled.fills


def test_an_unmoved_quote_keeps_its_place() -> None:
    """Declared anew at the same price a quote is at the venue already; moved it has to travel."""
    proof = _followed()
    later = START + 5 * SECOND
    proof.follow([_quoted(1, BID), _quoted(-1, ASK + 1.0)], later, TTL)
    assert [one.active_at for one in proof.quotes] == [ARRIVED, later + SHADOW_LATENCY_NS]


@settings(max_examples=60, deadline=None)
@given(
    middle=st.floats(59_000.0, 61_000.0),
    ten=st.floats(59_000.0, 61_000.0),
    sixty=st.floats(59_000.0, 61_000.0),
    sign=st.sampled_from((1, -1)),
)
def test_half_spread_less_adverse_move_is_the_markout(
    middle: float, ten: float, sixty: float, sign: int
) -> None:
    """Net without a fee is the mean markout from the fill price, to a hundredth of a bp."""
    price = BID if sign > 0 else ASK
    proof = QuoteProof()
    proof.follow([_quoted(sign, price, "own")], START, TTL)
    proof.on_own_fill("own", _market(middle), ARRIVED)
    proof.on_second(ARRIVED + 10 * SECOND, ten)
    proof.on_second(ARRIVED + 60 * SECOND, sixty)
    markouts = [markout_bp(sign, price, later) for later in (ten, sixty)]
    captured = sign * (middle / price - 1.0) * 1e4
    assert proof.captured.mean == pytest.approx(captured, abs=1e-6)
    expected = (markouts[0] + markouts[1]) / 2.0
    scale = max(abs(ten / middle - 1.0), abs(sixty / middle - 1.0)) * abs(captured)
    assert proof.net_bp(0.0) == pytest.approx(expected, abs=0.01 + scale)


def test_a_symbol_is_promoted_at_two_hundred_fills_that_pay() -> None:
    """199 fills are too few whatever they made; with the 200th the plan pays, fee by fee."""
    almost = proven(LEAST_FILLS - 1)
    assert almost.fault(0.0) == PlanFault("fills", 199.0, 200.0)
    enough = proven(LEAST_FILLS)
    assert enough.count == LEAST_FILLS
    assert enough.net_bp(0.0) == pytest.approx(1.667, abs=0.001)
    assert enough.fault(1.6) is None
    fault = enough.fault(1.7)
    assert fault is not None
    assert (fault.subject, fault.limit) == ("net of a fill", 0.0)
    assert fault.number == pytest.approx(-0.033, abs=0.001)


def test_a_promotion_withdraws_itself() -> None:
    """Once mid takes back more than the quotes capture the plan pays no more, fill by fill."""
    proof = proven(LEAST_FILLS)
    faults: list[bool] = []
    for number in range(120):
        _fill_bid(proof, START + (1000 + number) * 100 * SECOND, later=59_980.0)
        faults.append(proof.fault(0.0) is not None)
    assert not faults[0]
    assert faults[-1]
    assert faults == sorted(faults)


def test_a_snapshot_goes_on_alike() -> None:
    """Encoded and decoded in the middle of a fill, the proof comes to the same numbers."""
    proof = proven(3)
    proof.follow([_quoted(1, BID), _quoted(-1, ASK)], START, TTL)
    proof.look(BID - 1.0, BID - 1.0, TICK, _market(), ARRIVED)
    proof.on_second(ARRIVED + 11 * SECOND, 60_001.0)
    again = msgspec.json.decode(msgspec.json.encode(proof), type=QuoteProof)
    for one in (proof, again):
        one.look(ASK + 1.0, ASK + 1.0, TICK, _market(), ARRIVED + 12 * SECOND)
        one.on_second(ARRIVED + 100 * SECOND, 60_002.0)
    assert proof.count == 5
    assert again == proof
