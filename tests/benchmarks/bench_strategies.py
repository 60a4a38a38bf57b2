"""`make bench`: the race beside all its peers on the shipped tables, as ratios of one run.

A few replays by default, so that it takes minutes; FOLDRACE_REPLAYS=50 for figures to publish, or
tests/benchmarks/regret_table.py, which goes on where it was killed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from regret_table import NAMES, RIVALS, TABLES, bout

from search.benchmark.replay import EXHAUSTIVE, Rules
from search.benchmark.score_table import read_table

REPLAYS = int(os.environ.get("FOLDRACE_REPLAYS", "6"))
FOUND = sorted(TABLES.glob("*.parquet"))
# SMAC's own: sklearn's parallel loop, ConfigSpace's numpy scalars.
pytestmark = pytest.mark.filterwarnings("default")


def goal(configs: int) -> float:
    """Share of the cells that the race is to manage with: 3% from 1,000 configs on, else 10%."""
    return 0.03 if configs >= 1000 else 0.1


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=path.stem) for path in FOUND]
    or [pytest.param(None, marks=pytest.mark.skip(reason=f"no table in {TABLES.name}/"))],
)
def test_the_race_beside_its_peers(path: Path, record: Callable[..., None]) -> None:
    table = read_table(path)
    share = goal(table.problem.configs)
    played = {name: bout(table, name, share, REPLAYS, Rules()) for name in (EXHAUSTIVE, *NAMES)}
    means = {
        name: float(np.mean([np.inf if regret is None else regret for regret in of["regrets"]]))
        for name, of in played.items()
    }
    lines = [
        f"\n{path.stem}: {table.problem.configs:,} configs, {100 * share:g}% of the cells, "
        f"mean regret of {REPLAYS} replays"
    ]
    for name, of in played.items():
        ratio = means["race"] / means[name] if means[name] else float("nan")
        lines.append(
            f"  {name:14} {100 * means[name]:6.2f} points  race/this {ratio:5.2f}  "
            f"{100 * of['used']:5.1f}% of the cells  {of['seconds']:7.2f} s a replay"
        )
    best = min(means[name] for name in RIVALS)
    ratio = means["race"] / best if best else float("nan")
    lines.append(f"  race / best of {', '.join(RIVALS)}: {ratio:.2f}\n")
    sys.stdout.write("\n".join(lines))
    record(
        f"regret, {path.stem}",
        f"the race's mean regret against the best of {', '.join(RIVALS)}, {100 * share:g}% of the "
        f"cells, {REPLAYS} replays",
        ratio,
        at_most=0.5,
        mean_regret=means,
    )
    # Not the goal, which wants many replays: what a broken race could not do.
    assert means["race"] <= means["random"]
