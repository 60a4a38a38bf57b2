"""`make bench`: P(best) against how often it was so, on sweeps with a known truth.

180 configs on three axes, 1,000 rows, 4 seeds x 5 folds. What rows do to configs persists from seed
to seed: a part that is smooth over the axes, a part of each config's own. The truth is the score on
fresh rows. FOLDRACE_SWEEPS=600 for figures to publish.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable

import numpy as np
import pytest
import strategy_figures
from scipy.special import ndtr

from search.stats.p_best import chances
from search.strategies.model.features import build_features
from search.strategies.named import make_strategy
from search.strategies.strategy import Problem

SWEEPS = int(os.environ.get("FOLDRACE_SWEEPS", "8"))
ROWS, EDGES = 1000, (0.0, 0.02, 0.1, 0.2, 0.35, 0.5, 1.01)
FAVOURITES = 8  # of each sweep
FOR_THE_PAGE = 20  # so many sweeps draw the page's figure anew
POINTS = np.array(list(itertools.product(range(6), range(5), range(6))), float)
PROBLEM = Problem(
    features=POINTS,
    shapes=np.zeros(180, np.int64),
    blocks=20,
    floor=(0,),
    rounds=tuple(np.repeat(range(4), 5).tolist()),
)
SMOOTH = build_features(PROBLEM).values[:, 1:25]
OWN, SHARED, TOGETHER, NOISE, ROUGH = 0.35, 1.0, 0.35, 0.35, 0.25


def sweep(
    rng: np.random.Generator, spread: float, flat: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Scores by config and block, and each config's expected score on fresh rows.

    Args:
        rng: Source of chance.
        spread: Differences of configs, in units of a row's deviation.
        flat: True leaves it to the luck's width, too: configs at the edges, where it is larger, are
            worse in every sweep, and those of the middle alike.
    """
    weights = rng.normal(size=24) * np.exp(-0.12 * np.arange(24))
    effect = SMOOTH @ weights
    effect = effect / effect.std() + ROUGH * rng.normal(size=180)
    shape = SMOOTH[:, :12] / np.sqrt(np.square(SMOOTH[:, :12]).sum(axis=1).mean())
    deviation = np.sqrt(OWN**2 + SHARED**2 + NOISE**2 + TOGETHER**2 * np.square(shape).sum(axis=1))
    total = np.sqrt(OWN**2 + SHARED**2 + TOGETHER**2 + NOISE**2) if flat else deviation
    level = total * (0.67 + spread * (effect - effect.max()))
    persisting = level[:, None] + SHARED * rng.normal(size=ROWS)
    persisting += TOGETHER * shape @ rng.normal(size=(12, ROWS)) + OWN * rng.normal(
        size=(180, ROWS)
    )
    blocks = []
    for _ in range(4):
        right = persisting + NOISE * rng.standard_normal((180, ROWS), np.float32) > 0
        fold = rng.permutation(ROWS) % 5
        blocks += [right[:, fold == part].mean(axis=1) for part in range(5)]
    return np.stack(blocks, axis=1), ndtr(level / deviation)


@pytest.mark.parametrize(
    ("kind", "spread", "flat"),
    [
        ("differ", 0.12, False),
        ("hardly differ", 0.015, False),
        ("hardly differ, flat at the top", 0.015, True),
    ],
)
def test_p_best_is_as_frequent_as_it_says(
    kind: str, spread: float, flat: bool, record: Callable[..., None]
) -> None:
    rng = np.random.default_rng(1)
    said: dict[str, list[float]] = {}
    was: dict[str, list[bool]] = {}
    for number in range(SWEEPS):
        scores, truth = sweep(rng, spread, flat)
        best = np.arange(180) == truth.argmax()
        for share in (1.0, 0.1, 0.05):
            told = scores
            if share < 1:
                cells = round(share * scores.size)
                strategy = make_strategy("race", PROBLEM, seed=number, max_cells=cells)
                while asked := strategy.ask(32):
                    for cell in asked:
                        strategy.tell(*cell, float(scores[cell]))
                told = strategy.board.scores
            found = chances(PROBLEM, told, frozenset(), 0.2)
            if found is None or found.p_best is None:
                continue
            name = "grid" if share == 1 else f"race, {100 * share:g}%"
            top = np.argsort(-found.p_best)[:FAVOURITES]
            said.setdefault(name, []).extend(found.p_best[top].tolist())
            was.setdefault(name, []).extend(best[top].tolist())
    worst = 0.0
    bins: dict[str, list[tuple[float, float, int]]] = {}
    for name, chance in said.items():
        stated, true = np.array(chance), np.array(was[name])
        for low, high in itertools.pairwise(EDGES):
            inside = (stated >= low) & (stated < high)
            count = int(inside.sum())
            if not count:
                continue
            sys.stdout.write(
                f"\n{kind}, {name}: said {stated[inside].mean():.2f}, "
                f"was {true[inside].mean():.2f} ({count})"
            )
            bins.setdefault(name, []).append(
                (float(stated[inside].mean()), float(true[inside].mean()), count)
            )
            if count >= 30:
                worst = max(worst, abs(float(stated[inside].mean() - true[inside].mean())))
    sys.stdout.write("\n")
    if kind == "differ" and SWEEPS >= FOR_THE_PAGE:
        strategy_figures.calibration(bins)
    record(
        f"P(best) where configs {kind}",
        f"largest gap of said and frequency in a bin of 30 forecasts, {SWEEPS} sweeps",
        worst,
        unit="",
        at_most=0.05,
    )
