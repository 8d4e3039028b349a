"""What a strategy earned in an earlier run, in a form that today's fees can price."""

from __future__ import annotations

import msgspec


class FeeShare(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How much a trade dealt on an instrument as maker and as taker; its entry notional is 1."""

    instrument: str
    maker: float = 0.0
    taker: float = 0.0


class PastOutcome(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One outcome of an earlier run, a group counted once; in bp of entry notional.

    `before_fees_bp` is the net result without the venue's fees, `frictions_bp` what was claimed
    as cost beyond them; `shares` say what the fees fall on. `instrument` and `regime` are those
    of the opening.
    """

    closed_at: int
    instrument: str
    regime: str
    is_real: bool
    before_fees_bp: float
    frictions_bp: float
    shares: tuple[FeeShare, ...]


class WalkForward(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How parameters did on bars they were not chosen on: `days` walked, the t of mean net bp.

    `trials` is how many sets of parameters were tried; the more, the larger t must be.
    """

    days: float
    trades: int
    mean_bp: float
    t: float
    trials: int = 1


class Evidence(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A strategy's outcomes in the run `source`; without any, `refusal` says why.

    `left_out` counts outcomes that today's fees cannot price. `walk_forward` is None where none
    was made with these parameters.
    """

    source: str
    refusal: str = ""
    outcomes: tuple[PastOutcome, ...] = ()
    left_out: int = 0
    walk_forward: WalkForward | None = None


class PlanFault(msgspec.Struct, frozen=True, gc=False):
    """A plan that does not pay: what is too small, how large it is and must be.

    In bp, but for a subject that is counted.
    """

    subject: str
    number: float
    limit: float
