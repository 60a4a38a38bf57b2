"""What a decision costs: ask and tell of the race per cell, on a made-up problem, numpy alone."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import numpy as np
import pytest

from search.strategies.named import make_strategy
from search.strategies.strategy import Problem

BLOCKS = 20
MOST = 10_000
REPORTED_AT = (1_000, MOST)
WINDOW = 500  # cells over which a figure is taken


def grid_problem(configs: int) -> tuple[Problem, np.ndarray]:
    """A grid of three or four ordered axes, and smooth scores with noise, (configs, blocks)."""
    sides = {1_000: (10, 10, 10), 4_900: (7, 7, 10, 10)}[configs]
    features = np.array(list(itertools.product(*map(range, sides))), float)
    draw = np.random.default_rng(0)
    place = features / (np.array(sides) - 1)
    quality = -((place - 0.6) ** 2).sum(axis=1)
    block = draw.normal(0, 0.02, BLOCKS)
    scores = 0.8 + 0.1 * quality[:, None] + block + draw.normal(0, 0.01, (configs, BLOCKS))
    shapes = features[:, 0].astype(np.int64)
    return Problem(features=features, shapes=shapes, blocks=BLOCKS, floor=(0,)), scores


@pytest.mark.parametrize("batch", [16, 250], ids="batches of {}".format)
@pytest.mark.parametrize("configs", [1_000, 4_900], ids="{} configs".format)
def test_ask_and_tell_of_the_race(configs: int, batch: int, record: Callable[..., None]) -> None:
    problem, scores = grid_problem(configs)
    strategy = make_strategy("race", problem, seed=0, max_cells=MOST + 2 * WINDOW, stop_margin=1e-9)
    # So that there is something to ask at 10,000: cells that another sweep left in the ledger.
    spare = iter(np.random.default_rng(1).permutation(configs * BLOCKS))
    for told in REPORTED_AT:
        while strategy.spent < told:
            config, block = divmod(int(next(spare)), BLOCKS)
            strategy.tell(config, block, float(scores[config, block]))
        began, cells, worst = time.perf_counter(), 0, 0.0
        while cells < WINDOW:
            before = time.perf_counter()
            asked = strategy.ask(batch)
            worst = max(worst, time.perf_counter() - before)
            if not asked:
                break
            for config, block in asked:
                strategy.tell(config, block, float(scores[config, block]))
            cells += len(asked)
        ms = 1e3 * (time.perf_counter() - began) / max(cells, 1)
        print(
            f"\nrace, {configs} configs, {told} cells told, {batch} asked at once: "
            f"{ms:.2f} ms a cell over {cells} cells, slowest ask {worst:.2f} s"
        )
        record(
            f"controller, {configs} configs, {told} told, batches of {batch}",
            f"ask and tell of the race, of {BLOCKS} blocks",
            ms,
            unit="ms a cell",
            slowest_ask_s=worst,
        )
        assert cells or strategy.done
