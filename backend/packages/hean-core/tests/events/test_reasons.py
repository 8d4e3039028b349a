from __future__ import annotations

import pytest

from hean.core.events.reasons import ReasonCode


@pytest.mark.parametrize("code", ReasonCode)
def test_every_code_has_a_sentence_for_people(code: ReasonCode) -> None:
    """A reason code is its own name, and its sentence starts with a capital and ends in a stop."""
    assert code.value == code.name == str(code)
    assert code.sentence[0].isupper()
    assert code.sentence.endswith(".")


def test_no_two_codes_share_a_sentence() -> None:
    """Each sentence explains one code alone."""
    assert len({code.sentence for code in ReasonCode}) == len(ReasonCode)
