"""`make bench`: races against the clock, by seconds and by cells, regret in points.

The sweep's own dispatcher on two slots, its stacks as large as a sweep's, time simulated. A cell
takes the median of its representation and number of epochs: single times are of a busy machine.
FOLDRACE_REPLAYS=20 for figures to publish.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import strategy_figures
from regret_table import TABLES

from search.benchmark import replay
from search.benchmark.score_table import ScoreTable, read_table
from search.strategies.named import make_strategy
from search.strategies.strategy import Strategy

REPLAYS = int(os.environ.get("FOLDRACE_REPLAYS", "6"))
DRAWN = ("judged/linear-isear", "judged/linear-mr", "linear-trec")
OTHERS = sorted(
    str(path.relative_to(TABLES).with_suffix(""))
    for path in TABLES.glob("judged*/linear-*.parquet")
)
NAMES = (*DRAWN, *(name for name in OTHERS if name not in DRAWN))
SHARES, SLOTS = (0.03, 0.05, 0.1, 0.2), 2
FOR_THE_PAGE = 20  # so many replays draw the page's figure anew


class ByCells(Strategy):
    """A strategy that is told how many cells are left, and never how much time."""

    def afford(self, cells: int, seconds: float | None = None, had: float = 0.0) -> None:
        super().afford(cells)


def timed(table: ScoreTable, number: int) -> replay.Deal:
    """A deal whose cells take the median of their kind."""
    dealt = replay.Rules().deal(table, number)
    assert dealt.seconds is not None
    columns = [table.axes.index(name) for name in ("representation", "epochs")]
    seconds = np.empty_like(dealt.seconds)
    for kind in np.unique(kinds := dealt.problem.features[:, columns], axis=0):
        mine = (kinds == kind).all(axis=1)
        seconds[mine] = np.median(dealt.seconds[mine])
    return replace(dealt, seconds=seconds)


def test_the_race_against_the_clock(
    record: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "_START_S", 0.0)  # of cells that take milliseconds it is most
    means: dict[str, list[float]] = {"by seconds": [], "by cells": []}
    for name in NAMES:
        table = read_table(TABLES / f"{name}.parquet")
        for share in SHARES:
            for way, of in means.items():
                regrets, alone = [], 0
                for number in range(REPLAYS):
                    dealt = timed(table, number)
                    assert dealt.seconds is not None
                    strategy = make_strategy(
                        "race", dealt.problem, seed=number, max_cells=dealt.scores.size
                    )
                    if way == "by cells":
                        strategy.__class__ = ByCells
                    deadline = share * float(dealt.seconds.sum()) / SLOTS
                    played = replay.play_in_slots(dealt, strategy, "auto", SLOTS, deadline)
                    regrets.append(played.regret)
                    alone += played.complete == 1
                of.append(float(np.mean(regrets)))
                sys.stdout.write(
                    f"\n{table.name}, {100 * share:g}% of the time, {way}: {100 * of[-1]:.2f}, "
                    f"the baseline alone complete in {alone} of {REPLAYS}"
                )
    sys.stdout.write("\n")
    if REPLAYS >= FOR_THE_PAGE:
        drawn = {way: of[: len(DRAWN) * len(SHARES)] for way, of in means.items()}
        strategy_figures.seconds(DRAWN, SHARES, drawn)
    record(
        "regret against the clock",
        f"a race that counts seconds against one that counts cells, {len(NAMES)} tables, "
        f"{REPLAYS} replays each",
        float(np.mean(means["by seconds"]) / np.mean(means["by cells"])),
        at_most=1.0,
        **means,
    )
