"""`make bench`: what earlier sweeps of a space are worth to the race, one table left out at a time.

The table that is left out is raced with and without a prior; the prior is a race at 10% of the
cells of another table (`good`), of a flat one, one whose scores are dealt to its configs at random
(`unrelated`), and one with the sign of its scores turned (`reversed`). FOLDRACE_REPLAYS=50 for
figures to publish.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from regret_table import TABLES

from search.arrays import FloatArray
from search.benchmark.regret import paired
from search.benchmark.replay import Rules, play
from search.benchmark.score_table import read_table
from search.strategies.model.features import build_features
from search.strategies.model.surrogate import believe
from search.strategies.named import make_strategy

REPLAYS = int(os.environ.get("FOLDRACE_REPLAYS", "6"))
SHARES = (0.005, 0.01, 0.02, 0.03, 0.05)
BATCH, PRIOR_SHARE = 16, 0.1
FLAT = "projection-trec-flat"
# Left out -> the table behind it.
PAIRS = {
    "projection-trec": "projection-isear",
    "judged/linear-mr": "linear-trec",
    "judged/linear-sst5": "judged/linear-isear",
    "judged/tfidf-mpqa": "judged/tfidf-trec",
    "judged/tfidf-isear": "judged/tfidf-sst5",
    "judged/proxies-sst5": "judged/proxies-isear",
}


def points(path: Path) -> list[tuple[tuple[str, object], ...]]:
    """Axis values of a table's configs, in the order of its problem."""
    table = pq.read_table(path)
    names = sorted({*table.column_names} - {"seed", "fold", "score", "seconds"})
    columns = [table.column(name).to_pylist() for name in names]
    return list(
        dict.fromkeys(
            tuple(zip(names, values, strict=True)) for values in zip(*columns, strict=True)
        )
    )


def believed(name: str) -> dict[tuple[tuple[str, object], ...], float]:
    """What a race of a table at 10% of its cells believes of each config."""
    path = TABLES / f"{name}.parquet"
    dealt = Rules(seed=1).deal(read_table(path), 0)
    cells = round(PRIOR_SHARE * dealt.scores.size)
    strategy = make_strategy("race", dealt.problem, seed=0, max_cells=cells)
    play(dealt, strategy, BATCH)
    means = believe(build_features(dealt.problem), strategy.board).mean
    return dict(zip(points(path), means.tolist(), strict=True))


def kinds(name: str, behind: str) -> dict[str, FloatArray | None]:
    """Scores of each kind of prior for the configs of a table."""
    configs = points(TABLES / f"{name}.parquet")
    known = believed(behind)
    good = np.array([known.get(config, np.nan) for config in configs])
    order = np.random.default_rng(0).permutation(len(good))
    found: dict[str, FloatArray | None] = {"none": None, "good": good}
    if name.startswith("projection"):
        flat = believed(FLAT)
        found["flat"] = np.array([flat.get(config, np.nan) for config in configs])
    return {**found, "unrelated": good[order], "reversed": -good}


@pytest.mark.parametrize("name", PAIRS)
def test_a_race_with_a_prior(name: str, record: Callable[..., None]) -> None:
    table = read_table(TABLES / f"{name}.parquet")
    rules = Rules(batch=BATCH)
    deals = [rules.deal(table, number) for number in range(REPLAYS)]
    seen = np.stack([dealt.seeds for dealt in deals])
    own = np.array([dealt.regret(dealt.exhaustive()) for dealt in deals])
    sys.stdout.write(f"\n{name}: exhaustive {100 * own.mean():.2f}")
    for share in SHARES:
        regrets: dict[str, FloatArray] = {}
        for kind, scores in kinds(name, PAIRS[name]).items():
            found = []
            for number, dealt in enumerate(deals):
                cells = max(round(share * dealt.scores.size), 1)
                problem = dealt.problem
                if scores is not None:
                    problem = replace(problem, earlier=scores[None])
                strategy = make_strategy("race", problem, seed=number, max_cells=cells)
                found.append(play(dealt, strategy, BATCH).regret)
            regrets[kind] = np.array(found)
        shown = [name, f"{100 * share:g}%", f"{100 * regrets.pop('none').mean():.2f}"]
        without = regrets
        for kind, mine in regrets.items():
            shown.append(f"{kind} {100 * mine.mean():.2f}")
        sys.stdout.write(f"\n| {' | '.join(shown)} |")
        del without
        sys.stdout.flush()
    record(f"regret with a prior, {name}", "", 1.0)


def _difference(mine: FloatArray, none: FloatArray, seen: FloatArray) -> str:
    gap = paired(mine - none, seen)
    return f"{100 * gap['mean']:+.2f} [{100 * gap['low']:.2f}, {100 * gap['high']:.2f}]"
