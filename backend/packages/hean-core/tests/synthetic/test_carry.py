import pytest

from hean.core.synthetic.carry import Carry


def test_a_constant_premium_gives_the_exchange_rule() -> None:
    """A premium of 12 bp all along predicts 7 bp: it is pulled 5 bp toward the interest."""
    carry = Carry()
    for _ in range(480):
        carry.add_minute(12e-4)
        assert carry.rate() == pytest.approx(7e-4)


def test_a_small_premium_pays_the_interest() -> None:
    """Within 5 bp of the interest the rate is the interest: 1 bp for eight hours."""
    carry = Carry()
    carry.add_minute(3e-4)
    assert carry.rate() == pytest.approx(1e-4)


def test_later_minutes_weigh_more() -> None:
    """The last of two minutes counts twice the first."""
    carry = Carry()
    carry.add_minute(0.0)
    carry.add_minute(30e-4)
    assert carry.rate() == pytest.approx(20e-4 - 5e-4)


def test_settling_begins_a_new_interval() -> None:
    """After a stamp nothing of the old interval is left."""
    carry = Carry()
    carry.add_minute(30e-4)
    settled = carry.settle()
    assert settled == pytest.approx(25e-4)
    assert carry.rate() == pytest.approx(1e-4)
