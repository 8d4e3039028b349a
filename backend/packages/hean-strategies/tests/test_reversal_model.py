import json
from math import exp, nan

import pytest
from pydantic import ValidationError

from hean.core.events import FrameFeatures
from hean.strategies.impulse_engine import ImpulseSettings
from hean.strategies.reversal_model import FEATURES, LogisticReversal, candidate_of, judged

TEXT = json.dumps({"version": "2024-06", "intercept": -1.0, "weights": {"ofi_10": 0.5}})
HOT = FrameFeatures(z_30=6.0, sigma_fast=2e-4, sigma_slow=1e-4, ofi_10=3.0, zeta_60=1.0)


def _model() -> LogisticReversal:
    found = ImpulseSettings(reversal_model=TEXT).reversal_model  # type: ignore[arg-type]
    assert found is not None
    return found


def test_the_logistic_of_the_weighed_features() -> None:
    """The probability is the logistic of intercept and weights, rounded to a billionth."""
    found = _model().probability(candidate_of(HOT, 1))
    assert found == round(1.0 / (1.0 + exp(-0.5)), 9)
    assert LogisticReversal(version="x", intercept=-1e6, weights={}).probability(
        candidate_of(HOT, 1)
    ) == pytest.approx(0.0, abs=1e-9)


def test_directed_features_turn_with_the_burst() -> None:
    """A sale sees flow and trends with their signs turned, sizes as they are."""
    buy = dict(zip(FEATURES, candidate_of(HOT, 1), strict=True))
    sale = dict(zip(FEATURES, candidate_of(HOT, -1), strict=True))
    assert (sale["ofi_10"], sale["zeta_60"]) == (-buy["ofi_10"], -buy["zeta_60"])
    assert (sale["z_30"], sale["volatility_ratio"]) == (6.0, 2.0)


def test_what_is_not_known_is_a_reversal() -> None:
    """A weighed feature that is not ready gives 1: the layer fails closed; others do not matter."""
    bare = FrameFeatures(ofi_10=nan)
    assert _model().probability(candidate_of(bare, 1)) == 1.0
    assert LogisticReversal(version="x", intercept=0.0, weights={}).probability(
        candidate_of(bare, 1)
    ) == 0.5  # fmt: skip


def test_its_text_gives_the_same_model_and_digest() -> None:
    """The text of the setting reads back as the same model; another model has another digest."""
    model = _model()
    again = ImpulseSettings(reversal_model=str(model)).reversal_model  # type: ignore[arg-type]
    assert again is not None
    assert (again, again.sha256) == (model, model.sha256)
    assert LogisticReversal(version="2024-06", intercept=-1.1, weights={}).sha256 != model.sha256
    assert judged(model, HOT, 1)[1] == f", p_rev 0.622 by 2024-06 {model.sha256[:8]}"
    assert judged(None, HOT, 1) == (0.0, "")


@pytest.mark.parametrize(
    "text",
    [
        '{"version": "x", "intercept": 0.0, "weights": {"tea_leaves": 1.0}}',
        '{"version": "x", "intercept": NaN, "weights": {}}',
        '{"version": "x", "weights": {}}',
        "model.json",
    ],
)
def test_what_is_no_model_is_refused(text: str) -> None:
    """Unknown features, missing or infinite numbers and other text are refused when set."""
    with pytest.raises(ValidationError):
        ImpulseSettings(reversal_model=text)  # type: ignore[arg-type]
