"""A frozen model that may veto a burst: it says how likely the move is taken back.

Fitted offline and given as a setting, so that its coefficients are part of the run's settings and
of the strategy's parameters: a replay uses the same ones, and a digest names them. It is a logistic
regression of a few features of the candidate; those with a direction are taken in the burst's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from math import exp, isfinite
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, field_validator

from hean.core.events import FrameFeatures

FEATURES: Final = (
    "z_30", "volatility_ratio", "volume_burst", "largest_share_30", "jump_share",
    "ofi_10", "trade_imbalance_10", "zeta_60", "zeta_300", "zeta_900",
)  # fmt: skip
"""What a model may weigh, in this order; the last five are signed by the burst's direction."""
VETO: Final = 0.85
"""A reversal likelier than this is not traded."""
_LARGEST: Final = 700.0


class LogisticReversal(BaseModel):
    """p = 1 / (1 + exp(-(intercept + sum of weight x feature))); unnamed features weigh nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    version: str
    intercept: float
    weights: Mapping[str, float]

    @field_validator("weights")
    @classmethod
    def _name_features(cls, weights: Mapping[str, float]) -> Mapping[str, float]:
        strange = sorted(set(weights) - set(FEATURES))
        if strange:
            raise ValueError(f"{strange[0]} is not a feature; there are {', '.join(FEATURES)}")
        return {name: weights[name] for name in FEATURES if name in weights}

    def __str__(self) -> str:
        """Return the model as the text it is set by."""
        return self.model_dump_json()

    @property
    def sha256(self) -> str:
        """What names these very coefficients."""
        return sha256(str(self).encode()).hexdigest()

    def probability(self, candidate: Sequence[float]) -> float:
        """Return the probability to 1e-9; 1 where a weighed feature is not known."""
        score = self.intercept
        for name, value in zip(FEATURES, candidate, strict=True):
            weight = self.weights.get(name, 0.0)
            if weight:
                score += weight * value
        if not isfinite(score):
            return 1.0
        return round(1.0 / (1.0 + exp(min(_LARGEST, -score))), 9)


def _read(value: object) -> object:
    if not isinstance(value, str):
        return value
    return LogisticReversal.model_validate_json(value) if value.strip() else None


ReversalModel = Annotated[LogisticReversal | None, BeforeValidator(_read)]
"""The type of the setting: JSON, or nothing for no veto."""


def judged(model: LogisticReversal | None, features: FrameFeatures, sign: int) -> tuple[float, str]:
    """Return what the model says of a burst in direction `sign`, and how to record it."""
    if model is None:
        return 0.0, ""
    chance = model.probability(candidate_of(features, sign))
    return chance, f", p_rev {chance:.3f} by {model.version} {model.sha256[:8]}"


def candidate_of(features: FrameFeatures, sign: int) -> tuple[float, ...]:
    """Return `FEATURES` of a burst in direction `sign`."""
    slow = features.sigma_slow
    return (
        features.z_30,
        features.sigma_fast / slow if slow > 0.0 else 0.0,
        features.volume_burst,
        features.largest_share_30,
        features.jump_share,
        features.ofi_10 * sign,
        features.trade_imbalance_10 * sign,
        features.zeta_60 * sign,
        features.zeta_300 * sign,
        features.zeta_900 * sign,
    )
