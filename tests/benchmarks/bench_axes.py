"""`make bench`: the race on kinds of axes that the papers' grids have not, with a known truth.

A cell is the config's expected score, an effect of its block, and noise. The expected score is a
sum of smooth curves of the axes, of random heights for levels without an order, of products of two
axes, and of a part of each config's own. FOLDRACE_REPLAYS=50 for figures to publish.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from search.benchmark.replay import Deal, play
from search.strategies.named import make_strategy
from search.strategies.strategy import Problem

REPLAYS = int(os.environ.get("FOLDRACE_REPLAYS", "6"))
SHARES, PLAYERS, BLOCKS = (0.05, 0.1), ("race", "halving", "random"), 20
# Standard deviations, in fractions of 1: what configs differ by, blocks, a cell, a config's own.
SPREAD, OF_BLOCKS, NOISE, OWN = 0.02, 0.02, 0.02, 0.003


def ranges(rng: np.random.Generator) -> Problem:
    """600 draws of two logarithmic ranges and one of numbers: hardly a value twice."""
    values = np.column_stack(
        [rng.uniform(-5, -2, 600), rng.uniform(-4, 0, 600), rng.uniform(0, 0.5, 600)]
    )
    return _problem(values)


def twelve(rng: np.random.Generator) -> Problem:
    """800 of the 531,441 configs of twelve axes with three values each."""
    return _problem(rng.integers(0, 3, (800, 12)).astype(float))


def levels(rng: np.random.Generator) -> Problem:
    """A category of 100 levels beside eight values of a number."""
    first, second = np.divmod(np.arange(800), 8)
    return replace(_problem(np.column_stack([first, second]).astype(float)), unordered=(0,))


def conditional(rng: np.random.Generator) -> Problem:
    """A method of three, each with axes of its own, and one that all share."""
    rows = [
        (method, one if method == 0 else np.nan, two if method else np.nan, third, shared)
        for method in range(3)
        for one in (range(8) if method == 0 else (0,))
        for two in (range(6) if method else (0,))
        for third in (range(5) if method == 2 else (np.nan,))
        for shared in range(10)
    ]
    return replace(_problem(np.array(rows, float)), unordered=(0,))


def failing(rng: np.random.Generator) -> Problem:
    """A grid of 500 configs; a tenth of the cells fail, by chance."""
    return _problem(np.stack(np.meshgrid(*[np.arange(n) for n in (10, 10, 5)]), -1).reshape(-1, 3))


KINDS = {
    "ranges": ranges,
    "12 axes": twelve,
    "100 levels": levels,
    "conditional axes": conditional,
    "a tenth of the cells fail": failing,
}


def _problem(values: np.ndarray) -> Problem:
    return Problem(
        features=values.astype(float),
        shapes=np.zeros(len(values), np.int64),
        blocks=BLOCKS,
        floor=(0,),
    )


def truth_of(problem: Problem, rng: np.random.Generator) -> np.ndarray:
    """Expected score of each config, (configs,)."""
    parts = []
    for column, values in enumerate(problem.features.T):
        there = np.isfinite(values)
        known = values[there]
        part = np.zeros(len(values))
        if column in problem.unordered:
            heights = rng.normal(size=int(known.max()) + 1)
            part[there] = heights[known.astype(int)]
        else:
            place = (known - known.min()) / max(float(np.ptp(known)), 1e-9)
            peak, width = rng.uniform(0.1, 0.9), rng.uniform(0.2, 0.6)
            part[there] = np.exp(-(((place - peak) / width) ** 2)) * rng.uniform(1, 3)
        parts.append(part - part.mean())
    effect = np.sum(parts, axis=0)
    for _ in range(min(len(parts), 4)):
        one, other = rng.choice(len(parts), 2, replace=False)
        effect += 0.7 * parts[one] * parts[other]
    own = OWN * rng.normal(size=len(effect))
    return np.asarray(0.75 + SPREAD * effect / effect.std() + own)


def dealt(kind: str, number: int) -> Deal:
    """A sweep with a known truth."""
    rng = np.random.default_rng([number, *kind.encode()])
    problem = KINDS[kind](rng)
    truth = truth_of(problem, rng)
    scores = truth[:, None] + OF_BLOCKS * rng.normal(size=BLOCKS)
    scores = scores + NOISE * rng.normal(size=scores.shape)
    if KINDS[kind] is failing:
        scores[rng.random(scores.shape) < 0.1] = np.nan
    return Deal(problem, scores, truth, np.arange(4))


@pytest.mark.parametrize("kind", KINDS)
def test_the_race_on_other_axes(kind: str, record: Callable[..., None]) -> None:
    regrets: dict[str, np.ndarray] = {}
    for share in SHARES:
        of: dict[str, list[float]] = {name: [] for name in (*PLAYERS, "exhaustive")}
        for number in range(REPLAYS):
            deal = dealt(kind, number)
            cells = round(share * deal.scores.size)
            for name in PLAYERS:
                strategy = make_strategy(name, deal.problem, seed=number, max_cells=cells)
                of[name].append(play(deal, strategy).regret)
            means = np.nanmean(deal.scores - np.nanmean(deal.scores, axis=0), axis=1)
            of["exhaustive"].append(deal.regret(int(means.argmax())))
        every = {name: np.array(values) for name, values in of.items()}
        gap = every["halving"] - every["race"]
        error = 2 * gap.std(ddof=1) / np.sqrt(len(gap))
        shown = " | ".join(f"{100 * np.nanmean(values):.2f}" for values in every.values())
        low, high = 100 * (gap.mean() - error), 100 * (gap.mean() + error)
        sys.stdout.write(
            f"\n| {kind} | {deal.problem.configs} | {100 * share:g}% | {shown} | "
            f"{100 * gap.mean():+.2f} [{low:.2f}, {high:.2f}] |"
        )
        sys.stdout.flush()
        regrets |= {f"{name}, {100 * share:g}%": values for name, values in every.items()}
    sys.stdout.write("\n")
    record(
        f"regret on {kind}",
        f"the race's less halving's, in points, 10% of the cells, {REPLAYS} sweeps",
        100 * float(np.mean(regrets["race, 10%"] - regrets["halving, 10%"])),
        unit="",
        at_most=0.0,
    )
