from decimal import Decimal

from hean.app.reports.sections import duration, mix, signed, total, usdt


def test_money_is_grouped_and_signed() -> None:
    """Amounts read as people write them, gains with a plus."""
    assert usdt(1234.5) == "1,234.50"
    assert "+3.00" in signed(Decimal(3))
    assert "-3.00" in signed("-3").replace("\N{MINUS SIGN}", "-")


def test_totals_add_every_reason() -> None:
    """The count of a table of reasons is the sum of its rows."""
    assert total({"EDGE": 2, "SPREAD": 5}) == 7
    assert total({}) == 0


def test_a_mix_names_the_commonest_reason_first() -> None:
    """The bar of refusals begins with what refused most often."""
    text = mix({"EDGE": 2, "NO_SETUP": 9})
    assert text.index("NO_SETUP") < text.index("EDGE")


def test_durations_choose_their_unit() -> None:
    """Seconds, minutes and hours are told in the unit that fits."""
    assert duration(90 * 60 * 1e9).endswith("h")
    assert duration(90 * 1e9).endswith("min")
