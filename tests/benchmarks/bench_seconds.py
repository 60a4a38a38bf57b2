"""`make bench`: races against the clock, by seconds and by cells, regret in points.

The sweep's own dispatcher on 2, 8 and 64 slots, its stacks as large as a sweep's, time simulated. A
cell takes the median of its representation and number of epochs: single times are of a busy
machine. FOLDRACE_REPLAYS=20 for figures to publish; `-k wide` and `-k linear` may run side by side.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import strategy_figures
from regret_table import TABLES

from search.benchmark import replay
from search.benchmark.score_table import ScoreTable, read_table
from search.strategies.budget import TimeLeft
from search.strategies.named import make_strategy
from search.strategies.strategy import Strategy

REPLAYS = int(os.environ.get("FOLDRACE_REPLAYS", "6"))
LINEAR = (
    "linear-trec",
    *sorted(
        str(path.relative_to(TABLES).with_suffix(""))
        for path in TABLES.glob("judged*/linear-*.parquet")
    ),
)
WIDE = tuple(f"wide/wide-{data}" for data in ("mr", "sst5", "isear", "trec"))
SHARES, FEW = (0.03, 0.05, 0.1, 0.2), (0.01, 0.02, 0.03, 0.05)
FOR_THE_PAGE = 20  # so many replays draw the page's figure anew


@dataclass(frozen=True)
class Case:
    """Tables that are played on so many slots, and how often."""

    tables: tuple[str, ...]
    slots: int
    shares: tuple[float, ...]
    replays: int


# With 64 slots 1% of the time is less than the dearest cell takes.
CASES = {
    "linear-2": Case(LINEAR, 2, SHARES, REPLAYS),
    "linear-8": Case(LINEAR, 8, SHARES, max(REPLAYS // 2, 1)),
    "wide-2": Case(WIDE, 2, FEW, max(3 * REPLAYS // 10, 1)),
    "wide-8": Case(WIDE, 8, FEW, max(3 * REPLAYS // 10, 1)),
    "wide-64": Case(WIDE, 64, FEW[1:], max(3 * REPLAYS // 10, 1)),
}
# (seconds, regret) of each share, by number of slots and way of counting.
drawn: dict[tuple[int, str], list[tuple[float, float]]] = {}


class ByCells(Strategy):
    """A strategy that is told how many cells are left, and never how much time."""

    def afford(self, cells: int, time: TimeLeft | None = None) -> None:
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


def play(dealt: replay.Deal, number: int, way: str, slots: int, seconds: float) -> replay.Replay:
    """A race against the clock; without a pick the regret is the baseline's."""
    strategy = make_strategy("race", dealt.problem, seed=number, max_cells=dealt.scores.size)
    if way == "by cells":
        strategy.__class__ = ByCells
    played = replay.play_in_slots(dealt, strategy, "auto", slots, seconds)
    baseline = dealt.regret(dealt.problem.floor[0])
    return replace(played, regret=baseline if np.isnan(played.regret) else played.regret)


@pytest.mark.parametrize("name", CASES)
def test_the_race_against_the_clock(
    name: str, record: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "_START_S", 0.0)  # of cells that take milliseconds it is most
    case = CASES[name]
    means: dict[str, list[list[float]]] = {"by seconds": [], "by cells": []}
    seconds: list[list[float]] = []
    for path in case.tables:
        table = read_table(TABLES / f"{path}.parquet")
        deals = [timed(table, number) for number in range(case.replays)]
        every = [float(np.sum(dealt.seconds)) for dealt in deals if dealt.seconds is not None]
        seconds.append([share * float(np.mean(every)) / case.slots for share in case.shares])
        for way, of in means.items():
            of.append([])
            for share in case.shares:
                played = [
                    play(dealt, number, way, case.slots, share * takes / case.slots)
                    for number, (dealt, takes) in enumerate(zip(deals, every, strict=True))
                ]
                of[-1].append(float(np.mean([one.regret for one in played])))
                alone = sum(one.complete <= len(table.problem.floor) for one in played)
                sys.stdout.write(
                    f"\n{table.name}, {case.slots} slots, {100 * share:g}% of the time, {way}: "
                    f"{100 * of[-1][-1]:.2f}, the references alone complete in {alone} of "
                    f"{case.replays}"
                )
                sys.stdout.flush()
    sys.stdout.write("\n")
    if case.tables == WIDE and REPLAYS >= FOR_THE_PAGE:
        for way, of in means.items():
            points = zip(np.mean(seconds, axis=0), np.mean(of, axis=0), strict=True)
            drawn[case.slots, way] = [(float(x), float(y)) for x, y in points]
        strategy_figures.seconds(drawn)
    record(
        f"regret against the clock, {name} slots",
        f"a race that counts seconds against one that counts cells, {len(case.tables)} tables, "
        f"{case.replays} replays each",
        float(np.mean(means["by seconds"]) / np.mean(means["by cells"])),
        at_most=1.0,
        seconds=seconds,
        **means,
    )
