"""`make bench`: the race in batches, beside its rivals, on tables that nothing was tuned on.

FOLDRACE_REPLAYS=50 for figures to publish. It prints the rows of the table on the page of
search/strategies; the tables are made by make_tables.py. Fixed before any was played: the shares,
the batches, and the rivals. `race` is played in each batch, halving and the Gaussian process in
the middle one, too; the others do not depend on it: they see every score before they ask again,
which no parallel sweep could grant them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from regret_table import TABLES

from search.benchmark.replay import EXHAUSTIVE, Rules, judge
from search.benchmark.score_table import read_table

REPLAYS = int(os.environ.get("FOLDRACE_REPLAYS", "6"))
JUDGED = sorted((TABLES / "judged").glob("*.parquet"))
SHARES, BATCHES, USUAL = (0.05, 0.1, 0.2), (16, 64, 256), 64
RIVALS = ("halving", "hyperband", "tpe-wilcoxon", "pooled", "random")
# It takes as long as all others together: its regret is of the first few deals alone.
SLOW, FEW = "gaussian-process", 4
# Mean regret by share and column, a value for each table.
MEANS: dict[float, dict[str, list[float]]] = {share: {} for share in SHARES}


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("path", JUDGED, ids=lambda path: path.stem)
def test_the_race_and_its_rivals(path: Path) -> None:
    table = read_table(path)
    documents = {
        batch: judge(
            table,
            ("race", *(RIVALS if batch == USUAL else ())),
            shares=SHARES,
            replays=REPLAYS,
            rules=Rules(batch=batch),
        )["strategies"]
        for batch in BATCHES
    }
    usual = documents[USUAL]
    few = judge(table, (SLOW,), shares=SHARES, replays=min(FEW, REPLAYS), rules=Rules(batch=USUAL))[
        "strategies"
    ][SLOW]["points"]
    for place, share in enumerate(SHARES):
        row: dict[str, Any] = {
            f"race, {batch}": documents[batch]["race"]["points"][place]["regret_mean"]
            for batch in BATCHES
        }
        row |= {name: usual[name]["points"][place]["regret_mean"] for name in RIVALS}
        row[SLOW] = few[place]["regret_mean"]
        row[EXHAUSTIVE] = usual[EXHAUSTIVE]["regret_mean"]
        # Nothing named is worse than whatever could be.
        row = {name: np.inf if value is None else value for name, value in row.items()}
        for name, value in row.items():
            MEANS[share].setdefault(name, []).append(value)
        gaps = [usual[name]["points"][place]["minus_race"] for name in RIVALS[:-1]]
        shown = [path.stem, f"{100 * share:g}%", *map(_points, row.values()), *map(_gap, gaps)]
        sys.stdout.write(f"\n| {' | '.join(shown)} |")
        sys.stdout.flush()


def test_what_they_come_to(record: Callable[..., None]) -> None:
    if any(len(values) != len(JUDGED) for of in MEANS.values() for values in of.values()):
        pytest.skip("not all tables were played")
    sys.stdout.write(f"\n| table | share | {' | '.join(MEANS[SHARES[0]])} |")
    for share, of in MEANS.items():
        means = {name: float(np.mean(values)) for name, values in of.items()}
        shown = ["mean of all", f"{100 * share:g}%", *map(_points, means.values())]
        sys.stdout.write(f"\n| {' | '.join(shown)} |")
        for batch, most in ((64, 1.1), (256, 1.4)):
            record(
                f"regret in batches of {batch}, {100 * share:g}% of the cells",
                f"the race's mean regret against batches of 16, {len(JUDGED)} judging tables, "
                f"{REPLAYS} replays each",
                means[f"race, {batch}"] / means["race, 16"],
                at_most=most,
                means=means,
            )
    sys.stdout.write("\n")


def _points(value: float) -> str:
    return "-" if not np.isfinite(value) else f"{100 * value:.2f}"


def _gap(of: dict[str, float | None]) -> str:
    if of["mean"] is None or of["low"] is None or of["high"] is None:
        return "-"
    return f"{100 * of['mean']:+.2f} [{100 * of['low']:.2f}, {100 * of['high']:.2f}]"
