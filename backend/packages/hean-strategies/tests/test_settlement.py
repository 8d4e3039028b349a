import msgspec

from hean.core.events import ReasonCode
from hean.core.instruments import Instrument
from hean.core.testing import btc_perpetual, btc_spot, funding
from hean.strategies.pace import SECOND_NS
from hean.strategies.settlement import SettlementClock

HOUR = 3600 * SECOND_NS
QUIET = 60 * SECOND_NS


def hourly() -> Instrument:
    """Return a perpetual that settles every hour."""
    return msgspec.structs.replace(btc_perpetual(), funding_interval_ns=HOUR)


def test_multiples_until_told() -> None:
    """Until a rate is heard, stamps lie at multiples of the instrument's own interval."""
    clock = SettlementClock()
    at = 5 * HOUR + 59 * SECOND_NS
    assert clock.refusal(at, hourly(), QUIET) == (ReasonCode.SESSION, 59.0, 60.0)
    assert clock.refusal(at + SECOND_NS, hourly(), QUIET) is None
    assert clock.refusal(6 * HOUR - QUIET + 1, hourly(), QUIET) is not None


def test_told_stamp_counts() -> None:
    """A predicted rate's stamp and interval replace the instrument's; a settled rate's do not."""
    clock, rules = SettlementClock(), hourly()
    told = msgspec.structs.replace(
        funding(), settled=False, next_funding_time=10 * HOUR + HOUR // 2, interval_ns=4 * HOUR
    )
    clock.take(told)
    assert clock.refusal(10 * HOUR, rules, QUIET) is None
    assert clock.refusal(10 * HOUR + HOUR // 2 - SECOND_NS, rules, QUIET) is not None
    clock.take(msgspec.structs.replace(told, settled=True, next_funding_time=20 * HOUR))
    assert clock.stamp == told.next_funding_time


def test_spot_never_settles() -> None:
    """Spot has no settlement to keep away from."""
    assert SettlementClock().refusal(8 * HOUR, btc_spot(), QUIET) is None
