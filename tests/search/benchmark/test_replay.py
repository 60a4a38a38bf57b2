"""Replays on tables: the arithmetic by hand, and the race's regret on synthetic tables."""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from search.benchmark.replay import Rules, deal, judge, play
from search.benchmark.score_table import ScoreTable, read_table
from search.errors import InputError
from search.strategies.named import make_strategy
from search.strategies.strategy import Problem


def effect(rng: np.random.Generator, levels: tuple[int, ...], axes: tuple[int, ...]) -> np.ndarray:
    """A smooth random function of some axes at every point of the grid: mean 0, variance 1."""
    values = rng.standard_normal([levels[axis] for axis in axes])
    for place, axis in enumerate(axes):
        x = np.linspace(0, 1, levels[axis])
        kernel = np.exp(-0.5 * ((x[:, None] - x) / 0.5) ** 2) + 1e-9 * np.eye(len(x))
        values = np.moveaxis(np.tensordot(np.linalg.cholesky(kernel), values, (1, place)), 0, place)
    points = np.indices(levels).reshape(len(levels), -1)
    whole = values[tuple(points[axis] for axis in axes)]
    return (whole - whole.mean()) / whole.std()


def synthetic(
    seed: int,
    levels: tuple[int, ...] = (4, 5, 7, 7, 5),
    *,
    rough: float = 0.15,
    pairs: float = 0.4,
    seeds: int = 4,
) -> tuple[Problem, np.ndarray, np.ndarray]:
    """Problem, truth (configs,) and scores (configs, blocks), in fractions.

    The SoftTriple grid's shape, in points: axes 0.9, pairs of axes `pairs`, each config's own
    `rough`; blocks 1.0; noise 1.1, of another size from config to config; residuals that
    neighbours share within a block 0.35, and that a config's cells of one seed share 0.25.
    """
    rng = np.random.default_rng(seed)
    axes = range(len(levels))
    two = list(itertools.combinations(axes, 2))
    main = sum(effect(rng, levels, (axis,)) for axis in axes) / math.sqrt(len(levels))
    pair = sum(effect(rng, levels, both) for both in two) / math.sqrt(max(len(two), 1))
    configs = math.prod(levels)
    truth = 0.9 * main + pairs * pair + rough * rng.standard_normal(configs)
    noise = 1.1 * np.exp(0.3 * rng.standard_normal(configs))
    scores = truth[:, None, None] + rng.standard_normal((seeds, 5))
    scores = scores + 0.25 * rng.standard_normal((configs, seeds, 1))
    for one, fold in itertools.product(range(seeds), range(5)):
        scores[:, one, fold] += 0.35 * effect(rng, levels, (int(rng.integers(len(levels))),))
    scores += noise[:, None, None] * rng.standard_normal(scores.shape)
    points = np.indices(levels).reshape(len(levels), -1).T.astype(float)
    problem = Problem(
        features=points, shapes=points[:, 0].astype(np.int64), blocks=seeds * 5, floor=(0,)
    )
    return problem, truth / 100, scores.reshape(configs, -1) / 100


@functools.cache
def regrets(name: str, share: float, levels: tuple, tables: int, batch: int = 32) -> np.ndarray:
    """Regret of a strategy and of exhaustive search on each table, (tables, 2)."""
    rows = []
    for seed in range(tables):
        problem, truth, scores = synthetic(seed, levels)
        strategy = make_strategy(name, problem, seed=seed, max_cells=round(share * scores.size))
        while cells := strategy.ask(batch):
            for config, block in cells:
                strategy.tell(config, block, scores[config, block])
        assert strategy.spent <= share * scores.size + 1
        picked = strategy.winner()
        rows.append([truth.max() - truth[picked], truth.max() - truth[scores.mean(1).argmax()]])
    return np.array(rows)


def test_three_percent_of_the_cells_name_as_good_a_config_as_all_of_them():
    race, exhaustive = regrets("race", 0.03, (10, 10, 10), 8).T
    assert race.mean() <= exhaustive.mean() + 0.0005  # 0.05 points: a sixth of a mean's noise
    assert np.median(race) <= np.median(exhaustive) + 0.0005


def test_a_tenth_of_the_cells_is_enough_for_a_hundred_configs():
    race, exhaustive = regrets("race", 0.10, (4, 5, 5), 60, batch=16).T
    assert np.median(race) <= np.median(exhaustive) + 0.0005


def test_at_equal_cells_the_race_has_less_regret_than_halving_and_than_chance():
    race, halving, chance = (
        regrets(name, 0.03, (10, 10, 10), 8)[:, 0].mean() for name in ("race", "halving", "random")
    )
    assert race < halving
    assert race < chance / 2


def table(scores: np.ndarray, **problem) -> ScoreTable:
    configs, seeds, folds = scores.shape
    return ScoreTable(
        "hand",
        ("x",),
        Problem(
            features=np.arange(configs, dtype=float)[:, None],
            shapes=np.zeros(configs, np.int64),
            blocks=seeds * folds,
            **problem,
        ),
        np.arange(seeds),
        scores,
    )


def test_the_truth_is_the_mean_of_the_seeds_that_were_not_dealt():
    # Config c scores c + 10 * seed in both folds: whichever seed is hidden shows in the truth.
    scores = np.arange(3)[:, None, None] + 10.0 * np.arange(4)[:, None] + np.zeros((3, 4, 2))
    dealt = deal(table(scores), np.random.default_rng(0), seeds=3)
    hidden = round((dealt.truth[0]) / 10)
    assert dealt.truth.tolist() == [10 * hidden, 10 * hidden + 1, 10 * hidden + 2]
    assert sorted(dealt.scores[0]) == sorted(
        10.0 * s for s in range(4) if s != hidden for _ in "ab"
    )
    assert dealt.problem.blocks == 6


@pytest.mark.parametrize(("mode", "expected"), [("max", [2.0, 0.0]), ("min", [0.0, 2.0])])
def test_regret_is_what_the_best_truth_has_more(mode, expected):
    scores = np.array([0.0, 2.0])[:, None, None] + np.zeros((2, 2, 1))
    dealt = deal(table(scores, mode=mode), np.random.default_rng(0), seeds=1)
    assert [dealt.regret(0), dealt.regret(1)] == expected
    assert dealt.regret(dealt.exhaustive()) == 0
    assert math.isnan(dealt.regret(None))


def test_a_cell_missing_from_the_table_is_told_as_failed():
    scores = np.random.default_rng(0).random((3, 3, 2))
    scores[2] = np.nan
    dealt = deal(table(scores), np.random.default_rng(0), seeds=2)
    strategy = make_strategy("grid", dealt.problem)
    replay = play(dealt, strategy)
    assert (replay.cells, replay.complete) == (12, 2)
    assert dealt.truth[2] == dealt.truth.min()


def test_a_deal_must_leave_a_seed_for_the_truth():
    with pytest.raises(InputError, match="has 2 seeds; a protocol of 2 must leave"):
        deal(table(np.zeros((2, 2, 1))), np.random.default_rng(0), seeds=2)


def test_judging_gives_every_strategy_the_same_deals():
    scores = np.random.default_rng(0).normal(size=(12, 5, 2)).cumsum(axis=0)
    document = judge(
        table(scores), ["grid", "race"], shares=(0.3, 1.0), replays=4, rules=Rules(seeds=2)
    )
    assert document["table"] == "hand"
    assert (document["configs"], document["blocks"]) == (12, 4)
    assert set(document["strategies"]) == {"exhaustive", "grid", "race"}
    exhaustive, grid = document["strategies"]["exhaustive"], document["strategies"]["grid"]
    # With all cells the grid IS exhaustive search.
    assert (grid["regret"], grid["regret_p90"]) == (exhaustive["regret"], exhaustive["regret_p90"])
    assert grid["cells_share"] == 1
    assert len(grid["curve"]) == 2
    assert grid["curve"][1] == [1.0, grid["regret"]]
    assert grid["replays"] == 4


def test_a_strategy_that_completes_nothing_has_no_regret_to_show():
    document = judge(
        table(np.zeros((5, 3, 2))), ["grid"], shares=(0.1,), replays=2, rules=Rules(seeds=2)
    )
    assert document["strategies"]["grid"]["regret"] is None


def write(path, **columns):
    pq.write_table(pa.table(columns), path)
    return path


def cells():
    rows = list(itertools.product((10, 2), ("cls", "mean"), (7, 3), (0, 1)))
    k, pooling, seed, fold = (list(column) for column in zip(*rows, strict=True))
    return {
        "k": k,
        "pooling": pooling,
        "seed": seed,
        "fold": fold,
        "score": [0.01 * i for i in range(16)],
    }


def test_a_parquet_file_becomes_a_table(tmp_path):
    path = write(tmp_path / "tiny.parquet", **cells())
    got = read_table(path, shape=("k",), floor=[{"k": 2, "pooling": "mean"}])
    assert (got.name, got.axes, got.seeds.tolist()) == ("tiny", ("k", "pooling"), [3, 7])
    assert got.problem.features.tolist() == [[1, 0], [1, 1], [0, 0], [0, 1]]
    assert got.problem.shapes.tolist() == [0, 0, 1, 1]
    assert got.problem.floor == (3,)
    assert got.problem.unordered == (1,)
    # (k 10, cls): seed 7 came first in the file with 0.00 and 0.01, seed 3 with 0.02 and 0.03.
    np.testing.assert_allclose(got.scores[0], [[0.02, 0.03], [0.0, 0.01]])


def test_null_axes_are_inert_and_null_scores_failed(tmp_path):
    columns = cells()
    columns["k"] = [None if k == 10 else k for k in columns["k"]]
    columns["score"][5] = None
    got = read_table(write(tmp_path / "t.parquet", **columns))
    assert np.isnan(got.problem.features[:, 0]).tolist() == [True, True, False, False]
    assert np.isnan(got.scores).sum() == 1


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"score": None}, {}, r"missing \['score'\], found \['fold', 'k', 'pooling', 'seed'\]"),
        ({}, {"shape": ("kk",)}, r"missing \['kk'\]"),
        ({"fold": [0] * 16}, {}, "8 cells more than once"),
        ({}, {"floor": [{"k": 3, "pooling": "mean"}]}, r"\(3, 'mean'\)\] are not"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, change, options, message):
    columns = {name: values for name, values in {**cells(), **change}.items() if values is not None}
    with pytest.raises(InputError, match=message):
        read_table(write(tmp_path / "t.parquet", **columns), **options)


def test_several_processes_replay_what_one_would():
    scores = np.random.default_rng(0).normal(size=(12, 5, 2)).cumsum(axis=0)
    alone, together = (
        judge(
            table(scores),
            ["grid", "forgiving"],
            shares=(0.3,),
            replays=3,
            rules=Rules(seeds=2),
            jobs=jobs,
        )
        for jobs in (1, 2)
    )
    assert alone == together


def test_every_replay_is_reported():
    seen = []
    judge(
        table(np.zeros((4, 3, 2))),
        ["grid", "random"],
        shares=(0.5, 1.0),
        replays=3,
        rules=Rules(seeds=2),
        progress=lambda: seen.append(None),
    )
    assert len(seen) == 2 * 2 * 3
