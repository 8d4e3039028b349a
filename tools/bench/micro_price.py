"""Whether a fitted micro-price says more of the next mid than what stands in for it.

usage: micro_price.py DATASET.toml [--json]

The table is fitted to the first half of the dataset's time and judged on the second, which it has
not seen: at each change of touch, how far each fair price is from the mid after the next moves.
Printed is the mean square error over that of the mid itself: below 1 it says something.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hean.app.feeds.replay import DatasetFeed
from hean.core.events import BookUpdate, Event, Quote
from hean.core.features.batch_series import micro_price_batch
from hean.core.features.columns import Floats, Integers
from hean.core.features.micro_price_fit import fit_micro_price, touch_chain_batch
from hean.core.instruments import Instrument

Row = tuple[int, int, int, int, int]
HORIZONS_S = (1, 10, 60)
SHARES = (0.5, 1.0)
SECOND = 1_000_000_000


def touches(path: Path) -> dict[str, Integers]:
    """Return time, bid, ask and sizes of each instrument's touches in ticks and lots, as rows."""
    feed = DatasetFeed(path)
    rules = {one.id: one for one in feed.description.instruments}
    rows: dict[str, list[Row]] = {name: [] for name in rules}
    quoted: dict[str, bool] = {}
    for event in feed.events():
        found = touch_of(event, rules)
        if found is None:
            continue
        name, row = found
        is_quote = isinstance(event, Quote)
        if is_quote and not quoted.get(name):
            quoted[name] = True
            rows[name].clear()
        if is_quote or not quoted.get(name):
            rows[name].append(row)
    return {name: np.array(table, dtype=np.int64) for name, table in rows.items() if table}


def touch_of(event: Event, rules: dict[str, Instrument]) -> tuple[str, Row] | None:
    """Return the instrument and the touch of a quote or book, None for anything else."""
    match event:
        case Quote() if not event.synthetic and event.bid > 0.0 and event.ask > 0.0:
            sides = (event.bid, event.ask, event.bid_size, event.ask_size)
        case BookUpdate() if event.bids and event.asks:
            (bid, bid_size), (ask, ask_size) = event.bids[0], event.asks[0]
            sides = (bid, ask, bid_size, ask_size)
        case _:
            return None
    one = rules[event.instrument]
    bid, ask, bid_size, ask_size = sides
    row = (
        event.ts_init,
        int(bid / one.tick + 0.5),
        int(ask / one.tick + 0.5),
        int(bid_size / one.lot + 0.5),
        int(ask_size / one.lot + 0.5),
    )
    return event.instrument, row


def judge(table: Integers) -> dict[str, object]:
    """Return the errors over the mid's, by horizon and fair price, on the second half."""
    columns: list[Integers] = [table[:, one] for one in range(5)]
    at, bid, ask, bids, asks = columns
    first, last = int(at[0]), int(at[-1])
    half = int(np.count_nonzero(at < (first + last) // 2))
    seen: list[Integers] = [column[:half] for column in columns[1:]]
    fitted = fit_micro_price("bench", touch_chain_batch(*seen))
    mid = (bid + ask) / 2.0
    size = np.maximum(bids + asks, 1)
    weighted = (ask * bids + bid * asks) / size - mid
    fair: dict[str, Floats] = {f"{share:g} weighted mid": share * weighted for share in SHARES}
    fair["fitted"] = micro_price_batch(bid, ask, bids, asks, fitted) * mid / 1e4
    errors: dict[str, object] = {"touches": len(at) - half}
    for seconds in HORIZONS_S:
        later = np.searchsorted(at, at + seconds * SECOND, side="right") - 1
        judged = slice(half, int(np.count_nonzero(at < last - seconds * SECOND)))
        moved = (mid[later] - mid)[judged]
        base = float(np.mean(moved**2))
        errors[f"{seconds} s"] = {
            name: round(float(np.mean((moved - lean[judged]) ** 2)) / base, 4) if base else None
            for name, lean in fair.items()
        }
    return errors


def main(arguments: Sequence[str]) -> None:
    """Print each instrument's errors, or one line of JSON."""
    (path,) = [one for one in arguments if not one.startswith("--")]
    found = {name: judge(table) for name, table in touches(Path(path)).items()}
    if "--json" in arguments:
        print(json.dumps({"bench": "micro_price", "dataset": path, "errors": found}))
        return
    for name, errors in found.items():
        print(f"{name}: {errors['touches']} touches judged")
        for horizon, ratios in errors.items():
            if horizon != "touches":
                print(f"  {horizon:>5}  {ratios}")


if __name__ == "__main__":
    main(sys.argv[1:])
