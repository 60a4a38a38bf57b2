"""`make bench`: what large batches cost the race, on tables that nothing was tuned on.

FOLDRACE_REPLAYS=50 for figures to publish. It prints the rows of the table on the page of
search/strategies; the tables are made by make_tables.py.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import numpy as np
from regret_table import TABLES

from search.benchmark.replay import EXHAUSTIVE, Rules, judge
from search.benchmark.score_table import read_table

REPLAYS = int(os.environ.get("FOLDRACE_REPLAYS", "6"))
JUDGED = sorted((TABLES / "judged").glob("*.parquet"))
SHARES, BATCHES = (0.05, 0.1), (16, 64, 256)
PLAYERS = ("race", "halving", "pooled", "random")


def test_the_race_in_batches(record: Callable[..., None]) -> None:
    assert JUDGED, "no table to judge by"
    regrets: dict[tuple[float, int], list[float]] = {}
    own: list[float] = []
    lines = ["", "| table | share | batch | " + " | ".join(PLAYERS) + " | halving less race |"]
    for path in JUDGED:
        table = read_table(path)
        for batch in BATCHES:
            rules = Rules(batch=batch)
            document = judge(table, PLAYERS, shares=SHARES, replays=REPLAYS, rules=rules)
            played = document["strategies"]
            if batch == BATCHES[0]:
                own.append(played[EXHAUSTIVE]["regret_mean"])
            for place, share in enumerate(SHARES):
                at = {name: played[name]["points"][place] for name in PLAYERS}
                regrets.setdefault((share, batch), []).append(at["race"]["regret_mean"])
                gap = at["halving"]["minus_race"]
                means = " | ".join(_points(at[name]["regret_mean"]) for name in PLAYERS)
                ends = f"[{_points(gap['low'])}, {_points(gap['high'])}]"
                lines.append(
                    f"| {path.stem} | {100 * share:g}% | {batch} | {means} | "
                    f"{_points(gap['mean'])} {ends} |"
                )
    lines.append(f"exhaustive search on these tables: {_points(float(np.mean(own)))}\n")
    sys.stdout.write("\n".join(lines))
    for share in SHARES:
        small = float(np.mean(regrets[share, 16]))
        for batch, most in ((64, 1.1), (256, 1.4)):
            record(
                f"regret in batches of {batch}, {100 * share:g}% of the cells",
                f"the race's mean regret against batches of 16, {len(JUDGED)} judging tables, "
                f"{REPLAYS} replays each",
                float(np.mean(regrets[share, batch])) / small,
                at_most=most,
            )


def _points(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}"
