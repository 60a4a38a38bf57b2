"""`make bench`: what earlier sweeps of a space are worth to the race, one table left out at a time.

The table that is left out is raced with and without a prior. That is what a race at 10% of the
cells of another table believes (`related`), of three others (`several`), or of one near chance
(`flat`); the first dealt to the configs at random (`unrelated`), or with its sign turned
(`reversed`). FOLDRACE_REPLAYS=24 for figures to publish.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from regret_table import TABLES

from search.arrays import FloatArray, IntArray
from search.benchmark.regret import paired
from search.benchmark.replay import Deal, Rules, play
from search.benchmark.score_table import read_table
from search.strategies.model.features import build_features
from search.strategies.model.surrogate import believe
from search.strategies.named import make_strategy

REPLAYS = int(os.environ.get("FOLDRACE_REPLAYS", "6"))
SHARES = (0.005, 0.01, 0.02, 0.03, 0.05)
BATCH, PRIOR_SHARE = 16, 0.1
# Left out -> the tables behind it, the one most like it first. Of the wide ones 2% of the cells are
# those of ten configs, of the judged ones of two.
LEFT_OUT = {
    "wide/wide-mr": ("wide/wide-sst5", "wide/wide-isear", "wide/wide-trec"),
    "wide/wide-sst5": ("wide/wide-mr", "wide/wide-isear", "wide/wide-trec"),
    "wide/wide-mpqa": ("wide/wide-mr", "wide/wide-isear", "wide/wide-trec"),
    "wide/wide-sst2": ("wide/wide-mr", "wide/wide-isear", "wide/wide-trec"),
    "wide/wide-isear": ("wide/wide-trec", "wide/wide-mr", "wide/wide-sst5"),
    "wide/wide-trec": ("wide/wide-isear", "wide/wide-mr", "wide/wide-sst5"),
    "wide/wide-covid_fake_news": ("wide/wide-trec", "wide/wide-isear", "wide/wide-mr"),
    "judged/linear-mr": ("linear-trec",),
    "judged/linear-sst5": ("judged/linear-isear",),
    "judged/linear-mpqa": ("judged/linear-mr",),
    "judged/proxies-sst5": ("judged/proxies-isear",),
}
FLAT = {"wide": "wide/wide-liar"}
Point = tuple[tuple[str, object], ...]


def points(name: str) -> list[Point]:
    """Axis values of a table's configs, in the order of its problem."""
    table = pq.read_table(TABLES / f"{name}.parquet")
    names = sorted({*table.column_names} - {"seed", "fold", "score", "seconds"})
    rows = zip(*(table.column(axis).to_pylist() for axis in names), strict=True)
    return list(dict.fromkeys(tuple(zip(names, row, strict=True)) for row in rows))


@functools.cache
def believed(name: str) -> dict[Point, float]:
    """What a race of a table at 10% of its cells believes of each config."""
    dealt = Rules(seed=1).deal(read_table(Path(TABLES / f"{name}.parquet")), 0)
    cells = round(PRIOR_SHARE * dealt.scores.size)
    strategy = make_strategy("race", dealt.problem, seed=0, max_cells=cells)
    play(dealt, strategy, BATCH)
    means = believe(build_features(dealt.problem), strategy.board).mean
    return dict(zip(points(name), means.tolist(), strict=True))


def priors(name: str) -> dict[str, FloatArray]:
    """Scores of each kind of prior for the configs of a table, (sweeps, configs)."""
    configs = points(name)

    def behind(*others: str) -> FloatArray:
        return np.array([[believed(o).get(config, np.nan) for config in configs] for o in others])

    related = behind(LEFT_OUT[name][0])
    shuffled = related[:, np.random.default_rng(0).permutation(len(configs))]
    found = {"related": related, "unrelated": shuffled, "reversed": -related}
    if len(LEFT_OUT[name]) > 1:
        found["several"] = behind(*LEFT_OUT[name])
    flat = FLAT.get(name.split("/", maxsplit=1)[0])
    return found if flat is None else {**found, "flat": behind(flat)}


def regrets(deals: list[Deal], share: float, earlier: FloatArray | None) -> FloatArray:
    """Regret of a race on each deal; nothing named is a regret of the baseline's."""
    found = []
    for number, dealt in enumerate(deals):
        problem = replace(dealt.problem, earlier=earlier)
        cells = max(round(share * dealt.scores.size), 1)
        strategy = make_strategy("race", problem, seed=number, max_cells=cells)
        regret = play(dealt, strategy, BATCH).regret
        found.append(dealt.regret(dealt.problem.floor[0]) if np.isnan(regret) else regret)
    return np.array(found)


@pytest.mark.parametrize("name", LEFT_OUT)
def test_a_race_with_a_prior(name: str, record: Callable[..., None]) -> None:
    table = read_table(TABLES / f"{name}.parquet")
    deals = [Rules(batch=BATCH).deal(table, number) for number in range(REPLAYS)]
    seen = np.stack([dealt.seeds for dealt in deals])
    own = np.array([dealt.regret(dealt.exhaustive()) for dealt in deals])
    alone = np.mean([dealt.regret(dealt.problem.floor[0]) for dealt in deals])
    sys.stdout.write(
        f"\n{table.name}: exhaustive search {100 * own.mean():.2f}, the baseline {100 * alone:.2f}"
    )
    kinds, gaps = priors(name), {}
    for share in SHARES:
        without = regrets(deals, share, None)
        shown = [table.name, f"{100 * share:g}%", f"{100 * without.mean():.2f}"]
        for kind, earlier in kinds.items():
            gap = regrets(deals, share, earlier) - without
            gaps[f"{kind}, {100 * share:g}%"] = float(gap.mean())
            shown.append(f"{kind} {100 * (without + gap).mean():.2f} {_interval(gap, seen)}")
        sys.stdout.write(f"\n| {' | '.join(shown)} |")
        sys.stdout.flush()
    record(
        f"regret with a related prior, {table.name}",
        f"points less than without at 2% of the cells, {REPLAYS} replays",
        -100 * gaps["related, 2%"],
        unit="points",
        differences=gaps,
    )


def _interval(gap: FloatArray, seen: IntArray) -> str:
    of = paired(gap, seen)
    ends = [of[end] for end in ("mean", "low", "high")]
    mean, low, high = (0.0 if end is None else 100 * end for end in ends)
    return f"{mean:+.2f} [{low:.2f}, {high:.2f}]"
