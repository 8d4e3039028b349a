from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hean.core.events.decision import OrderRequest
from hean.core.events.market import Side
from hean.core.events.strategy import Intent
from hean.core.testing import ETH, SOL, cancelled, expired, filled, order_request, rejected
from hean.risk.group_watch import Group, GroupWatch


def legs(name: str = "g") -> tuple[OrderRequest, OrderRequest]:
    """Return the two orders of a group: 0.1 ETH bought, 2 SOL sold."""
    first = order_request(quantity="0.1", price="3500", intent=Intent.LEG, instrument=ETH)
    second = order_request(
        side=Side.SELL, quantity="2", price="200", intent=Intent.LEG, instrument=SOL
    )
    return replace(first, group=name, legs=2), replace(second, group=name, leg=1, legs=2)


def followed() -> tuple[GroupWatch, Group, OrderRequest, OrderRequest]:
    """Return a watch on one group, the group and its orders."""
    watch, (first, second) = GroupWatch(), legs()
    watch.follow((first, second))
    (group,) = watch.groups.values()
    return watch, group, first, second


def test_a_group_is_matched_while_shares_differ_by_a_tenth_at_most() -> None:
    """Shares of 60 % and 50 % match, 61 % and 50 % do not, and none filled is matched too."""
    watch, group, first, second = followed()
    assert group.is_matched
    assert not group.has_fills
    watch.on_filled(filled(first, quantity="0.05"))
    assert not group.is_matched
    watch.on_filled(filled(second, quantity="1"))
    assert group.is_matched
    watch.on_filled(filled(first, quantity="0.01", before="0.05"))
    assert group.is_matched
    watch.on_filled(filled(first, quantity="0.001", before="0.06"))
    assert not group.is_matched


@given(st.permutations(["0.03", "0.05", "0.1", "0.05"]))
def test_reports_count_once_in_any_order(totals: list[str]) -> None:
    """A3: cumulative fills that come twice or late never raise or lower what is filled."""
    watch, group, first, _ = followed()
    highest = Decimal(0)
    for total in totals:
        step = filled(first, quantity=total)
        highest = max(highest, Decimal(total))
        assert watch.on_filled(step) is group
        assert group.legs[0].filled == highest
        assert group.legs[0].is_done is (highest == Decimal("0.1"))


def test_a_group_is_over_when_every_leg_has_ended() -> None:
    """A fill in full, a cancel, an expiry or a refusal ends a leg; a part of a fill does not."""
    watch, group, first, second = followed()
    watch.on_filled(filled(first, quantity="0.06"))
    assert not group.is_over
    watch.on_ended(cancelled(first, filled="0.08"))
    assert (group.legs[0].is_done, group.legs[0].filled) == (True, Decimal("0.08"))
    assert not group.is_over
    watch.on_ended(rejected(second))
    assert group.is_over
    assert group.legs[1].filled == 0
    other, lapsed, one, _ = followed()
    other.on_ended(expired(one, filled="0.02"))
    assert lapsed.legs[0].filled == Decimal("0.02")


def test_strangers_belong_to_no_group() -> None:
    """A report of an order nobody followed answers None, as does any report after `forget`."""
    watch, group, first, _ = followed()
    assert watch.on_filled(filled(order_request(number=99))) is None
    watch.forget(group)
    assert watch.on_filled(filled(first)) is None
    assert watch.on_ended(cancelled(first)) is None
    assert watch.groups == {}


def test_groups_of_two_strategies_may_share_a_name() -> None:
    """Groups are kept by strategy and name, so equal names never mix their legs."""
    watch = GroupWatch()
    mine = legs()
    theirs = tuple(
        replace(one, strategy="beta", client_order_id=f"{one.client_order_id}b") for one in legs()
    )
    watch.follow(mine)
    watch.follow(theirs)
    watch.on_filled(filled(mine[0]))
    assert [group.has_fills for group in watch.groups.values()] == [True, False]


def test_a_snapshot_restores_groups_to_the_digit() -> None:
    """A restored watch has the same bytes and judges the next report alike."""
    watch, group, first, second = followed()
    group.is_unhedged, group.attempts = True, 3
    watch.on_filled(filled(first, quantity="0.033"))
    again = GroupWatch()
    again.restore(watch.snapshot())
    assert again.snapshot() == watch.snapshot()
    found = again.on_filled(filled(second, quantity="0.7"))
    assert found is not None
    assert (found.is_unhedged, found.attempts, found.has_fills) == (True, 3, True)
    watch.on_filled(filled(second, quantity="0.7"))
    assert again.snapshot() == watch.snapshot()
