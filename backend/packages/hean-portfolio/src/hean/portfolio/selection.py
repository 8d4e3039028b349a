"""AutoPilot's choice: a greedy pick with diversity, and the pace at which it may be followed."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hean.portfolio.correlation import Matrix


class Rules(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Bounds of the active set and of its changes; cash is an arm with score 0."""

    least: int
    most: int
    changes: int
    diversity: float
    hysteresis: float


class Arms(msgspec.Struct, frozen=True, kw_only=True):
    """The eligible, by index: who is active, who has dwelt long enough, posterior means."""

    names: tuple[str, ...]
    active: tuple[bool, ...]
    movable: tuple[bool, ...]
    forced: tuple[bool, ...]
    means: tuple[float, ...]
    correlation: Matrix


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Who is active next, why, and each one's penalty for likeness at its turn."""

    active: tuple[bool, ...]
    reasons: tuple[str, ...]
    penalties: tuple[float, ...]


def pick(scores: Sequence[float], arms: Arms, rules: Rules) -> tuple[list[int], list[float]]:
    """Return the wanted set, best first, and the penalties at the end.

    The largest score less diversity*(positive correlation with those picked) plus hysteresis for
    the active; it stops at the score of cash or at the most allowed.
    """
    count = len(scores)
    penalties = [0.0] * count
    picked: list[int] = []
    waiting = list(range(count))
    for index in range(count):
        if arms.forced[index] and len(picked) < rules.most:
            _take(index, picked, waiting, penalties, arms, rules)
    while waiting and len(picked) < rules.most:
        best, value = -1, 0.0
        for index in waiting:
            bonus = rules.hysteresis if arms.active[index] else 0.0
            found = scores[index] - penalties[index] + bonus
            if found > value:
                best, value = index, found
        if best < 0:
            break
        _take(best, picked, waiting, penalties, arms, rules)
    return picked, penalties


def _take(
    index: int,
    picked: list[int],
    waiting: list[int],
    penalties: list[float],
    arms: Arms,
    rules: Rules,
) -> None:
    picked.append(index)
    waiting.remove(index)
    row = arms.correlation[index]
    for other in waiting:
        if row[other] > 0.0:
            penalties[other] += rules.diversity * row[other]


def choose(scores: Sequence[float], arms: Arms, rules: Rules) -> Choice:
    """Return the next active set: the wanted one, as far as dwell and pace allow."""
    count = len(scores)
    picked, penalties = pick(scores, arms, rules)
    wanted = list(picked)
    least = min(rules.least, count)
    if len(wanted) < least:
        wanted += _fill(wanted, arms)[: least - len(wanted)]
    active = list(arms.active)
    reasons = ["PICKED" if index in picked else "KEPT_MIN" for index in range(count)]
    drops = sorted(
        (i for i in range(count) if active[i] and i not in wanted),
        key=lambda i: (scores[i] - penalties[i], i),
    )
    size = sum(1 for one in active if one)
    drops = [i for i in drops if arms.movable[i]]
    adds = [i for i in wanted if not active[i] and (arms.movable[i] or arms.forced[i])]
    after_drop = False
    for left in range(rules.changes, 0, -1):
        may_add = bool(adds) and size < rules.most
        may_drop = bool(drops) and (size > least or (bool(adds) and left > 1))
        if may_drop and not (after_drop and may_add):
            active[drops.pop(0)] = False
            size, after_drop = size - 1, True
        elif may_add:
            active[adds.pop(0)] = True
            size, after_drop = size + 1, False
        else:
            break
    for index in (*wanted, *_fill(wanted, arms)):
        if size >= least:
            break
        if not active[index]:
            active[index] = True
            reasons[index] = "KEPT_MIN"
            size += 1
    for index in range(count):
        reasons[index] = _reason(index, active, wanted, arms, reasons)
    return Choice(active=tuple(active), reasons=tuple(reasons), penalties=tuple(penalties))


def _fill(wanted: list[int], arms: Arms) -> list[int]:
    rest = [index for index in range(len(arms.names)) if index not in wanted]
    return sorted(rest, key=lambda i: (not arms.active[i], -arms.means[i], arms.names[i]))


def _reason(
    index: int, active: list[bool], wanted: list[int], arms: Arms, reasons: list[str]
) -> str:
    if active[index]:
        if index in wanted:
            return "FORCED_ON" if arms.forced[index] else reasons[index]
        return "KEPT_PACE" if arms.movable[index] else "KEPT_DWELL"
    if index in wanted:
        return "WAITS_PACE" if arms.movable[index] else "WAITS_DWELL"
    return "NOT_PICKED"
