"""Which surrogate predicts a real table best from a few of its cells.

Each is given the same cells, one or two a config of a random third of the configs and ten of a few,
as a race has after its opening, and is asked for the mean of every config on seeds that were not
dealt. Printed: correlation of the prediction with that truth over all configs, and the regret of
its best guess.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern, WhiteKernel

from search.arrays import FloatArray
from search.benchmark.replay import Deal, deal
from search.benchmark.score_table import read_table
from search.strategies.board import TOLD, Board
from search.strategies.model.features import build_features
from search.strategies.model.surrogate import believe

TABLES = sorted((Path(__file__).parent / "tables").glob("*.parquet"))
REPLAYS = 20


def opened(dealt: Deal, rng: np.random.Generator) -> Board:
    board = Board(dealt.problem)
    configs, blocks = dealt.scores.shape
    for place, config in enumerate(rng.permutation(configs)[: configs // 3]):
        many = 10 if place < 3 else int(rng.integers(1, 3))
        for block in rng.permutation(blocks)[:many]:
            board.set(int(config), int(block), TOLD, float(dealt.scores[config, block]))
    return board


def pairwise(board: Board) -> FloatArray:
    return believe(build_features(board.problem), board).mean


def additive(board: Board) -> FloatArray:
    features = build_features(board.problem)
    axes = int((features.prior >= features.prior.max() - 1e-12).sum())
    main = features.groups < axes
    kept = np.concatenate([[True], main])
    return believe(
        replace(
            features,
            values=features.values[:, kept],
            groups=features.groups[main],
            prior=features.prior[:axes],
        ),
        board,
    ).mean


def _rows(board: Board) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Features of all configs, and features and block-centred scores of the told cells."""
    told = board.state == TOLD
    positions = board.problem.features
    inputs = np.where(np.isfinite(positions), positions, -1.0)
    inputs = inputs / np.maximum(inputs.max(axis=0), 1.0)
    known = np.where(told, board.scores, np.nan)
    config, block = np.nonzero(told)
    effects = np.zeros(known.shape[1])
    if told.any():
        effects = np.nan_to_num(np.nanmean(known, axis=0) - np.nanmean(known))
    return inputs, inputs[config], board.scores[config, block] - effects[block]


def forest(board: Board) -> FloatArray:
    inputs, given, scores = _rows(board)
    model = RandomForestRegressor(200, min_samples_leaf=3, random_state=0)
    return np.asarray(model.fit(given, scores).predict(inputs))


def process(board: Board) -> FloatArray:
    inputs, given, scores = _rows(board)
    kernel = Matern(np.full(inputs.shape[1], 0.5), (0.05, 20.0), nu=2.5) + WhiteKernel(0.5)
    model = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0)
    return np.asarray(model.fit(given, scores).predict(inputs))


SURROGATES: dict[str, Callable[[Board], FloatArray]] = {
    "pairwise (ours)": pairwise,
    "additive": additive,
    "forest": forest,
    "Gaussian process": process,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_surrogates(path: Path, record: Callable[..., None]) -> None:
    table = read_table(path)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in SURROGATES}
    for number in range(REPLAYS):
        rng = np.random.default_rng((7, number))
        dealt = deal(table, rng)
        board = opened(dealt, rng)
        for name, predict in SURROGATES.items():
            guess = predict(board) * dealt.problem.sign
            agree = float(np.corrcoef(guess, dealt.truth * dealt.problem.sign)[0, 1])
            found[name].append((agree, dealt.regret(int(guess.argmax()))))
    print(f"\n{path.stem}: correlation with the truth, regret of the best guess in points")
    for name, rows in found.items():
        agree, regret = np.mean(rows, axis=0)
        print(f"  {name:18s} {agree:.3f} {100 * regret:7.3f}")
    means = {name: np.mean([regret for _, regret in rows]) for name, rows in found.items()}
    agrees = {name: np.mean([agree for agree, _ in rows]) for name, rows in found.items()}
    record(
        f"surrogate, {path.stem}",
        "correlation of the race's surrogate with the truth",
        float(agrees["pairwise (ours)"]),
        unit="",
        correlation={name: float(value) for name, value in agrees.items()},
        regret={name: float(value) for name, value in means.items()},
    )
    # The one that the race uses must be worth its place.
    assert agrees["pairwise (ours)"] > max(agrees.values()) - 0.05, (agrees, means)
