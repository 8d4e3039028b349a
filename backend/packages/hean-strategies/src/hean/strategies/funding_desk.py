"""What FundingHarvester knows of an instrument's funding: forecast, persistence, when to leave."""

from __future__ import annotations

from math import log, nan

from pydantic import Field

from hean.core.events import FundingRate
from hean.strategies.base import StrategySection
from hean.strategies.desk import Desk
from hean.strategies.pace import SECOND_NS
from hean.strategies.spec import FUNDING_HARVESTER, tunable
from hean.strategies.windows import Average, ReturnWindow, decay

MINUTE_NS = 60 * SECOND_NS
_MAINTENANCE = 0.01
"""Share of notional the venue keeps as maintenance margin, taken high."""


class FundingSettings(StrategySection):
    """Tunables of FundingHarvester; all are starting values."""

    minimum_rate_bp: float = tunable(FUNDING_HARVESTER, "minimum_rate_bp", 8)
    """Least forecast rate in bp for an unhedged entry, 2 to 15."""
    horizon: int = tunable(FUNDING_HARVESTER, "horizon", 21)
    """Settlements that a hedged entry may count on, 1 to 21."""
    fixed_share: float = tunable(FUNDING_HARVESTER, "fixed_share", 0.5)
    """Share of the rate that must be fixed before a decision, 0.5 to 0.9."""
    minimum_carry_bp: float = Field(default=5.0, ge=0.0, le=50.0)
    """Least carry after all costs in bp for a hedged entry."""
    persistence_prior: float = Field(default=0.8, ge=0.0, le=0.99)
    """Chance that a rate keeps its sign, before any was seen."""
    disagreement_bp: float = Field(default=0.5, ge=0.1, le=50.0)
    """Distance in bp between our forecast and the venue's rate that counts as a data fault."""
    basis_stop_bp: float = Field(default=30.0, ge=5.0, le=200.0)
    """Move of the basis against a hedged position in bp that ends it."""
    assumed_leverage: float = Field(default=3.0, ge=1.0, le=10.0)
    """Leverage of the perpetual leg from which its margin buffer is reckoned."""
    maker_seconds: float = Field(default=120.0, ge=5.0, le=600.0)
    """Seconds the first order of an attempt waits as a maker before it takes."""
    concurrent: int = Field(default=2, ge=1, le=10)
    """Most positions or working attempts at a time."""


class FundingDesk(Desk, kw_only=True):
    """What is known of an instrument's funding, and of the position that collects it."""

    marks: ReturnWindow
    magnitude: Average
    """EW of settled rates in bp, half-life 3 days."""
    spacing_ns: int
    slot: int = -1
    interval_ns: int = 0
    stamp: int = 0
    rate_bp: float = nan
    rate_at: int = 0
    cast_bp: float = nan
    cast_at: int = 0
    last_settled_bp: float = nan
    last_stamp: int = 0
    settled: int = 0
    persistence: float = 0.0
    quiet: int = 0
    mark: float = nan
    index: float = nan
    mark_at: int = 0
    opens_at: int = 1 << 62
    closes_at: int = 0
    decided: int = 0
    """The stamp for which a decision was published."""
    asked: int = -1
    """The minute of the last evaluation."""
    basis_at_entry: float = nan
    collects: int = 0
    """The stamp an unhedged position waits for; 0 when hedged."""


def expect(desk: FundingDesk, event: FundingRate, stamp: int, section: FundingSettings) -> None:
    """Take over the rate expected at the next stamp and the window to decide in."""
    desk.rate_bp, desk.rate_at = event.rate * 1e4, event.ts_init
    desk.interval_ns, desk.stamp = event.interval_ns, stamp
    if stamp <= 0 or event.interval_ns <= 0:
        desk.opens_at, desk.closes_at = 1 << 62, 0
        return
    minutes = event.interval_ns // MINUTE_NS
    needed = section.fixed_share * minutes * (minutes + 1)
    passed = 0
    while passed * (passed + 1) < needed:
        passed += 1
    fixed_from = stamp - event.interval_ns + passed * MINUTE_NS
    desk.opens_at = max(stamp - 120 * MINUTE_NS, fixed_from)
    desk.closes_at = stamp - 5 * MINUTE_NS


def settle(desk: FundingDesk, event: FundingRate) -> None:
    """Learn from a settled rate, once a stamp: its size, and whether it kept its sign."""
    if event.ts_event <= desk.last_stamp:
        return
    rate = event.rate * 1e4
    desk.last_stamp = event.ts_event
    if desk.settled and rate and desk.last_settled_bp:
        kept = 1.0 if (rate > 0.0) == (desk.last_settled_bp > 0.0) else 0.0
        weight = decay(desk.magnitude.half_life)
        desk.persistence = weight * kept + (1.0 - weight) * desk.persistence
    desk.settled += 1
    desk.last_settled_bp = rate
    desk.magnitude.push(rate)
    desk.quiet = desk.quiet + 1 if abs(rate) < 0.3 else 0


def has_cast(desk: FundingDesk, now: int) -> bool:
    """Return whether the features' now-cast is younger than two minutes."""
    return desk.cast_bp == desk.cast_bp and now - desk.cast_at <= 2 * MINUTE_NS


def forecast(desk: FundingDesk, now: int) -> float:
    """Return F in bp: the now-cast of the features, else the venue's own or last settled rate."""
    return desk.cast_bp if has_cast(desk, now) else desk.rate_bp


def fixed_share(desk: FundingDesk, now: int) -> float:
    """Return the share of the rate that is fixed already: minute i of n weighs i."""
    minutes = desk.interval_ns // MINUTE_NS
    passed = max(0, minutes - (desk.stamp - now) // MINUTE_NS)
    return passed * (passed + 1) / (minutes * (minutes + 1))


def carry_bp(rate: float, persistence: float, horizon: int) -> float:
    """Return the carry in bp expected over the horizon: each further stamp counts less."""
    total, weight = 0.0, 1.0
    for _ in range(horizon):
        total += rate * weight
        weight *= persistence
    return total


def margin(desk: FundingDesk, section: FundingSettings, adverse: float) -> tuple[float, float]:
    """Return the margin buffer after an adverse move, and the three day volatilities it must hold.

    As fractions of notional; the second is NaN, which demands nothing, until a day is known.
    """
    buffer = 1.0 / section.assumed_leverage - _MAINTENANCE - adverse
    return buffer, 3.0 * desk.marks.deviation(2)


def exit_reason(desk: FundingDesk, section: FundingSettings) -> str:
    """Return why a hedged position ends: carry gone, basis against it, or margin thin.

    Time alone does not: a pair that still collects would only pay its costs once more.
    """
    holding = desk.holding
    if holding is None:
        return ""
    if desk.last_stamp > holding.opened_at:
        if desk.magnitude.mean * holding.sign > 0.0:
            return "mean rate changed sign"
        if desk.quiet >= 3:
            return "rate near zero three times"
    basis = basis_bp(desk)
    if (desk.basis_at_entry - basis) * holding.sign >= section.basis_stop_bp:
        return "basis moved against the position"
    adverse = max(0.0, (holding.entry / desk.mark - 1.0) * holding.sign) if desk.mark else 0.0
    buffer, needed = margin(desk, section, adverse)
    if buffer < needed:
        return "margin buffer under three day volatilities"
    return ""


def basis_bp(desk: FundingDesk) -> float:
    """Return the basis of mark against index in bp; NaN while either is unknown."""
    if desk.index > 0.0 and desk.mark > 0.0:
        return 1e4 * log(desk.mark / desk.index)
    return nan
