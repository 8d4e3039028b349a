"""`hean-app why STRATEGY RUN_DIR`: the funnel, the nearest misses, and what would change them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any, Final

import msgspec

from hean.app.reports.advice import Advice, advise, needed_values
from hean.app.reports.run_facts import read_funnel, read_summary, run_settings
from hean.app.timespan import format_instant
from hean.config import nearest
from hean.core.errors import SettingsError
from hean.core.events import ReasonCode

_SENTENCES: Final = {code.value: code.sentence for code in ReasonCode}
_PLACES: Final = 4


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument and layer where a reason decided, and its nearest miss.

    `number` against `limit` is that refusal; `off` is how far, as a fraction of the limit, or None
    where no number decides.
    """

    instrument: str
    layer: str
    count: int
    number: float
    limit: float
    off: float | None
    at: str


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One reason of refusal: how often the strategy itself and the gate gave it, and what helps.

    `settings` are those that decide it, with the run's values; `needed` is what the nearest miss
    would have taken of them, where that follows from its numbers.
    """

    code: str
    sentence: str
    by_itself: int
    by_gate: int
    places: tuple[Place, ...]
    settings: dict[str, str]
    needed: dict[str, str]
    advice: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Why a strategy traded as it did: its counts, its money, its reasons, the commonest first."""

    strategy: str
    started: str
    ended: str
    counts: dict[str, int]
    money: dict[str, str]
    active: bool
    cannot_run_because: str
    busiest_hour: str
    reasons: tuple[Reason, ...]


def explain(strategy: str, run_dir: Path, *, as_json: bool) -> None:
    """Print why a strategy traded or did not; `SettingsError` for one the run does not know."""
    answer = answer_for(strategy, run_dir)
    if as_json:
        sys.stdout.write(json.dumps(msgspec.to_builtins(answer), indent=2) + "\n")
        return
    sys.stdout.write("\n".join(lines_of(answer)) + "\n")


def answer_for(strategy: str, run_dir: Path) -> Answer:
    """Return the answer as data; raises `StateError` where no run was finished."""
    summary = read_summary(run_dir)
    known: dict[str, Any] = summary["strategies"]
    if strategy not in known:
        close = nearest(strategy, {name.upper(): name for name in known}).lower()
        raise SettingsError(f"this run has no strategy {strategy!r}; nearest is {close}")
    funnel = read_funnel(run_dir)
    one: Mapping[str, Any] = known[strategy]
    counts = {name: one[name] for name in ("signals", "order_requests", "withdrawals")}
    return Answer(
        strategy=strategy,
        started=summary["started"],
        ended=summary["ended"],
        counts={
            "evaluations_refused": _total(one["evaluations_refused"]),
            **counts,
            "rejections": _total(one["rejections"]),
            "fills": one["fills"],
        },
        money={
            name: one[name] for name in ("net_pnl", "realised_pnl", "fees", "funding", "budget_end")
        },
        active=one["active"],
        cannot_run_because=one.get("cannot_run_because", ""),
        busiest_hour=_busiest(strategy, funnel["hours"]),
        reasons=_reasons(
            strategy, one, funnel["misses"], run_settings(run_dir), _others_feed(summary)
        ),
    )


def _total(counts: Mapping[str, int]) -> int:
    found = 0
    for count in counts.values():
        found += count
    return found


def _others_feed(summary: Mapping[str, Any]) -> str:
    """Return the prefix of settings that do nothing for this run: those of the built-in market."""
    return "" if summary["dataset"].get("name") == "sim" else "SIM__"


def _busiest(strategy: str, hours: list[dict[str, Any]]) -> str:
    """Return the hour with the most signals, then refusals, in words; empty without any."""
    best, most = "", (0, 0)
    by_hour: dict[int, list[int]] = {}
    for row in hours:
        if row["strategy"] == strategy:
            found = by_hour.setdefault(row["hour_ns"], [0, 0])
            found[0] += row["signals"]
            found[1] += row["evaluations_refused"]
    for hour, (signals, refused) in sorted(by_hour.items()):
        if (signals, refused) > most:
            most = (signals, refused)
            best = f"{format_instant(hour)}: {signals:,} signals, {refused:,} own refusals"
    return best


def _reasons(
    strategy: str,
    one: Mapping[str, Any],
    misses: list[dict[str, Any]],
    settings: Mapping[str, str],
    hidden: str,
) -> tuple[Reason, ...]:
    itself, gate = one["evaluations_refused"], one["rejections"]
    places: dict[str, list[dict[str, Any]]] = {}
    for row in misses:
        if row["strategy"] == strategy:
            places.setdefault(row["code"], []).append(row)
    codes = sorted(
        {*itself, *gate}, key=lambda code: (-gate.get(code, 0), -itself.get(code, 0), code)
    )
    found: list[Reason] = []
    for code in codes:
        rows = sorted(places.get(code, []), key=lambda row: (-row["count"], row["instrument"]))
        advice = _joined([advise(strategy, row["layer"], code) for row in rows], strategy, code)
        shown = {
            name: settings.get(name, "")
            for name in advice.settings
            if not hidden or not name.startswith(hidden)
        }
        told = tuple(_place(row) for row in rows)
        found.append(
            Reason(
                code=code,
                sentence=_SENTENCES.get(code, ""),
                by_itself=itself.get(code, 0),
                by_gate=gate.get(code, 0),
                places=told,
                settings=shown,
                needed=needed_values(code, told, shown),
                advice=advice.sentence,
            )
        )
    return tuple(found)


def _joined(found: list[Advice], strategy: str, code: str) -> Advice:
    """Return the advice of all places as one, the commonest place's first."""
    names: dict[str, None] = {}
    sentences: dict[str, None] = {}
    for one in found or [advise(strategy, "", code)]:
        names.update(dict.fromkeys(one.settings))
        if one.sentence:
            sentences[one.sentence] = None
    return Advice(tuple(names), "; ".join(sentences))


def _place(row: Mapping[str, Any]) -> Place:
    number, limit = float(row["number"]), float(row["limit"])
    says_nothing = number == 0.0 and limit == 0.0
    known = isfinite(number) and isfinite(limit) and not says_nothing
    return Place(
        instrument=row["instrument"],
        layer=row["layer"],
        count=row["count"],
        number=number if isfinite(number) else 0.0,
        limit=limit if isfinite(limit) else 0.0,
        off=abs(number - limit) / (abs(limit) or 1.0) if known else None,
        at=format_instant(row["ts_ns"]),
    )


def lines_of(answer: Answer) -> list[str]:
    """Return the answer as lines for people."""
    lines = [f"{answer.strategy}, {answer.started} to {answer.ended}", ""]
    if answer.cannot_run_because:
        return [*lines, f"It did not run: {answer.cannot_run_because}."]
    counts, money = answer.counts, answer.money
    lines += [
        f"  {counts['evaluations_refused']:>9,}  evaluations it refused itself",
        f"  {counts['signals']:>9,}  signals",
        f"  {counts['rejections']:>9,}  of them rejected by the gate",
        f"  {counts['withdrawals']:>9,}  withdrawals",
        f"  {counts['order_requests']:>9,}  order requests",
        f"  {counts['fills']:>9,}  fills",
        "",
        f"net {money['net_pnl']} USDT = realised {money['realised_pnl']} - fees {money['fees']} "
        f"+ funding {money['funding']}; budget at the end {money['budget_end']} USDT, "
        f"{'active' if answer.active else 'inactive'}",
    ]
    if answer.busiest_hour:
        lines.append(f"busiest hour {answer.busiest_hour}")
    if not answer.reasons:
        quiet = "" if counts["signals"] else " It was never triggered."
        return [*lines, "", f"Nothing was refused.{quiet}"]
    for title, chosen in (
        ("Rejected by the gate", [one for one in answer.reasons if one.by_gate]),
        ("Refused by the strategy itself", [one for one in answer.reasons if not one.by_gate]),
    ):
        if chosen:
            lines += ["", title]
        for one in chosen:
            lines += _reason_lines(one)
    return lines


def _reason_lines(one: Reason) -> list[str]:
    count = _times(one.by_gate or one.by_itself)
    if one.by_gate and one.by_itself:
        count = f"{count}, and {_times(one.by_itself)} by the strategy itself"
    lines = [f"  {one.code}  {count}", f"    {one.sentence}"]
    lines += [f"    {_place_text(place, one.code)}" for place in one.places[:_PLACES]]
    if len(one.places) > _PLACES:
        lines.append(f"    and {len(one.places) - _PLACES} more places")
    helps = [_setting_text(name, value, one.needed) for name, value in one.settings.items()]
    if helps:
        lines.append(f"    would change it: {', '.join(helps)}")
    if one.advice:
        lines.append(f"    {'but' if helps else 'would change it:'} {one.advice}")
    return lines


def _setting_text(name: str, value: str, needed: Mapping[str, str]) -> str:
    text = f"{name}={value}" if value else name
    return f"{text} (the nearest miss needed {needed[name]})" if name in needed else text


def _place_text(place: Place, code: str) -> str:
    layer = f" ({place.layer})" if place.layer not in ("", code) else ""
    start = f"{place.instrument}{layer}: {_times(place.count)}"
    if place.off is None:
        return f"{start}; no number decides, first at {place.at}"
    off = f" ({100 * place.off:.3g} % off)" if place.limit else ""
    return f"{start}, nearest {place.number:g} against {place.limit:g}{off} at {place.at}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"
