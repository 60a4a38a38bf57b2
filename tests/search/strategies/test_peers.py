"""The peers of the race, each against a slow independent version or a case worked by hand."""

from __future__ import annotations

import itertools

import numpy as np
import optuna
import pytest
from scipy import stats

from search.strategies.named import PEERS, make_strategy
from search.strategies.rivals.pooled import beaten
from search.strategies.signed_ranks import p_less
from search.strategies.strategy import Problem, Strategy


def line(configs: int, blocks: int, **rest) -> Problem:
    return Problem(
        features=np.arange(configs, dtype=float)[:, None],
        shapes=np.zeros(configs, np.int64),
        blocks=blocks,
        **rest,
    )


def play(strategy: Strategy, scores: np.ndarray, batch: int = 4) -> list[tuple[int, int]]:
    asked = []
    while cells := strategy.ask(batch):
        asked += cells
        for config, block in cells:
            value = float(scores[config, block])
            strategy.tell(config, block, value if np.isfinite(value) else None)
    assert strategy.done
    return asked


def told(strategy: Strategy) -> list[int]:
    return (strategy.board.state == 2).sum(axis=1).tolist()


def noisy_line(configs: int, blocks: int, noise: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    truth = np.linspace(0, 1, configs)
    return truth[:, None] + rng.normal(size=blocks) + noise * rng.normal(size=(configs, blocks))


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("batch", [1, 7])
def test_a_peer_asks_each_cell_once_within_its_budget_and_finds_a_clear_winner(name, batch):
    strategy = make_strategy(name, line(40, 8, floor=(1,), prior=(5,)), seed=2, max_cells=200)
    asked = play(strategy, noisy_line(40, 8, noise=0.02), batch)
    assert len(set(asked)) == len(asked) <= 200
    assert strategy.board.complete()[1]  # the floor
    assert strategy.winner() >= 34


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_picks_the_lowest_where_low_is_good(name):
    scores = noisy_line(20, 8, noise=0.02)
    picks = []
    for mode, sign in (("max", 1.0), ("min", -1.0)):
        strategy = make_strategy(name, line(20, 8, mode=mode), seed=1)
        asked = play(strategy, sign * scores)
        picks.append((strategy.winner(), len(asked)))
    assert picks[0] == picks[1]
    assert picks[0][0] == 19


# It trains a config's other cells on, as TPE does, so it goes by the rule of the sweep itself.
@pytest.mark.parametrize("name", sorted({*PEERS} - {"gaussian-process"}))
def test_a_peer_never_names_a_config_that_lost_a_cell_and_ends(name):
    scores = noisy_line(12, 6, noise=0.02)
    scores[11, 3] = np.nan
    scores[:4] = np.nan
    strategy = make_strategy(name, line(12, 6), seed=1)
    play(strategy, scores)
    assert strategy.winner() == 10


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_ends_where_every_cell_fails(name):
    strategy = make_strategy(name, line(5, 4), seed=1)
    play(strategy, np.full((5, 4), np.nan))
    assert strategy.winner() is None


# --- forgiving -------------------------------------------------------------------------------


def test_forgiving_stops_where_the_mean_falls_to_the_best_one_s_worst_block():
    """The order is that of the prior: 0, 1, 2, 3, 4.

    0 scores 5, 3, 4, 4: complete, mean 4, worst 3.
    1 scores 4, 2, ...: means 4, 3; 3 is not better than 3: stopped after 2 cells.
    2 scores 9, 1, 4, 4: means 9, 5, 4.67, 4.5 all above 3: complete, mean 4.5, so now the worst to
      beat is 1, although that is below 3.
    3 scores 2, 0.5, 0, 9: means 2, 1.25, 0.83: stopped after 3 cells.
    4 scores 3, 3, 3, 3: complete (above 1), but no winner.
    """
    scores = np.array(
        [[5, 3, 4, 4], [4, 2, 9, 9], [9, 1, 4, 4], [2, 0.5, 0, 9], [3, 3, 3, 3]], float
    )
    strategy = make_strategy("forgiving", line(5, 4, prior=(0, 1, 2, 3, 4)))
    play(strategy, scores)
    assert told(strategy) == [4, 2, 4, 3, 4]
    assert strategy.winner() == 2


def test_forgiving_waits_for_the_score_that_its_rule_needs():
    strategy = make_strategy("forgiving", line(3, 4, prior=(0, 1, 2)))
    assert len(strategy.ask(16)) == 4
    assert strategy.ask(16) == []
    for block in range(4):
        strategy.tell(0, block, 0.5)
    assert strategy.ask(16) == [(1, 0)]
    assert strategy.ask(16) == []


# --- pooled ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("configs", "blocks"), [(2, 2), (7, 3), (12, 9)])
def test_pooled_eliminates_whom_least_squares_with_dummy_variables_would(configs, blocks):
    """The oracle fits score ~ config + block by dummies, the best config being the base level."""
    verdicts = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        scores = rng.normal(size=(configs, blocks)) + 2 * rng.normal(size=blocks)
        scores += 2.0 * rng.normal(size=(configs, 1))
        best = scores.mean(axis=1).argmax()
        others = [config for config in range(configs) if config != best]
        rows, y = [], []
        for config, block in itertools.product(range(configs), range(blocks)):
            row = [1.0]
            row += [float(config == other) for other in others]
            row += [float(block == other) for other in range(1, blocks)]
            rows.append(row)
            y.append(scores[config, block])
        design, y = np.array(rows), np.array(y)
        weights = np.linalg.lstsq(design, y, rcond=None)[0]
        freedom = len(y) - design.shape[1]
        variance = np.sum((y - design @ weights) ** 2) / freedom
        errors = np.sqrt(variance * np.diag(np.linalg.inv(design.T @ design)))
        upper = weights + stats.norm.ppf(0.95) * errors
        expected = np.zeros(configs, bool)
        expected[others] = upper[1:configs] < 0
        np.testing.assert_array_equal(beaten(scores), expected)
        verdicts += expected.tolist()
    assert 0 < sum(verdicts) < len(verdicts)


def test_pooled_eliminates_nobody_among_equals():
    assert not beaten(np.tile([0.25, 0.5, 0.75], (4, 1))).any()


def test_pooled_gives_all_three_blocks_and_then_one_block_at_a_time_to_those_still_in():
    """Noise 0.001 beside steps of 1: after the burn-in only the best is left, and is completed."""
    rng = np.random.default_rng(0)
    scores = np.arange(6)[:, None] + rng.normal(size=8) + 0.001 * rng.normal(size=(6, 8))
    strategy = make_strategy("pooled", line(6, 8))
    play(strategy, scores)
    assert told(strategy) == [3, 3, 3, 3, 3, 8]
    # A twin of the best that wins every other block stays in until all blocks are there.
    scores[4] = scores[5] + np.tile([0.1, -0.1], 4)
    strategy = make_strategy("pooled", line(6, 8))
    play(strategy, scores)
    assert told(strategy) == [3, 3, 3, 3, 8, 8]


def test_pooled_parts_two_that_stay_together_for_ten_blocks_by_their_means():
    """The twins are seen together after blocks 3 to 13, ten of them begun as two: then one goes."""
    scores = np.zeros((3, 20)) + np.random.default_rng(0).normal(size=20)
    scores[0] -= 100
    scores[1] += np.tile([1.0, -1.0], 10)
    scores[2] += 0.01
    strategy = make_strategy("pooled", line(3, 20))
    play(strategy, scores)
    # After 13 blocks config 1 is ahead by 1/13 - 0.01, so config 2 leaves.
    assert told(strategy) == [3, 20, 13]


def test_pooled_under_a_small_budget_races_in_heats():
    scores = noisy_line(300, 20, noise=0.05)
    strategy = make_strategy("pooled", line(300, 20), max_cells=240)
    play(strategy, scores)
    entered = np.count_nonzero(told(strategy))
    # The first heat takes half of 240 cells for burn-ins of 3: 40 configs; later heats add some.
    assert 40 < entered <= 80
    assert strategy.spent <= 240
    assert strategy.winner() > 260


def test_pooled_names_the_best_survivor_when_the_budget_ends_before_anyone_is_complete():
    strategy = make_strategy("pooled", line(4, 20, prior=(0, 1, 2, 3)), max_cells=12)
    play(strategy, noisy_line(4, 20, noise=0.0) + 0.3 * np.random.default_rng(3).random((4, 20)))
    assert not strategy.board.complete().any()
    means = np.where(strategy.board.state == 2, strategy.board.scores, np.nan)[:2, :3].mean(axis=1)
    assert strategy.winner() == int(means.argmax())


# --- TPE with the WilcoxonPruner -------------------------------------------------------------


def test_tpe_wilcoxon_prunes_a_clearly_bad_config_after_few_blocks():
    scores = np.array([[0.9], [0.1]]) + 0.01 * np.random.default_rng(0).normal(size=(2, 12))
    strategy = make_strategy("tpe-wilcoxon", line(2, 12, prior=(0, 1)))
    play(strategy, scores)
    assert told(strategy)[0] == 12
    # One-sided signed ranks: 1/8 at 3 pairs, 1/16 at 4, the first below 0.1.
    assert told(strategy)[1] == 4


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("digits", [12, 1])  # 1: scores tie, and differences vanish
def test_tpe_wilcoxon_gives_each_config_as_many_blocks_as_optuna_s_own_loop(digits):
    """The oracle is the pruner's documented use, fed the configs that our strategy proposed."""
    scores = noisy_line(30, 10, noise=0.3, seed=5).round(digits)
    strategy = make_strategy("tpe-wilcoxon", line(30, 10), seed=3, max_cells=120)
    order = list(dict.fromkeys(config for config, _ in play(strategy, scores)))
    study = optuna.create_study(direction="maximize", pruner=optuna.pruners.WilcoxonPruner())
    expected = []
    for config in order:
        trial, values = study.ask(), []
        for block in range(10):
            values.append(float(scores[config, block]))
            trial.report(values[-1], block)
            if trial.should_prune():
                break
        study.tell(trial, float(np.mean(values)))
        expected.append(len(values))
    got = np.array(told(strategy))[order].tolist()
    assert got[:-1] == expected[:-1]  # the budget ended within the last one
    assert len(set(expected)) > 2


# --- HyperbandPruner -------------------------------------------------------------------------


def test_hyperband_gives_each_config_as_many_blocks_as_optuna_s_own_loop():
    scores = noisy_line(30, 10, noise=0.3, seed=5)
    strategy = make_strategy("hyperband", line(30, 10), seed=3, max_cells=150)
    order = list(dict.fromkeys(config for config, _ in play(strategy, scores)))
    pruner = optuna.pruners.HyperbandPruner(1, 10, reduction_factor=3)
    # Its brackets go by the study's name and the trials' numbers: every second is a config's.
    study = optuna.create_study(study_name="seed-3", direction="maximize", pruner=pruner)
    expected = []
    for config in order:
        study.tell(study.ask(), state=optuna.trial.TrialState.FAIL)
        trial, values = study.ask(), []
        for block in range(10):
            values.append(float(scores[config, block]))
            trial.report(float(np.mean(values)), block + 1)
            if len(values) < 10 and trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                break
        else:
            study.tell(trial, float(np.mean(values)))
        expected.append(len(values))
    got = np.array(told(strategy))[order].tolist()
    assert got[:-1] == expected[:-1]  # the budget ended within the last one
    assert len(set(expected)) > 2


# --- a Gaussian process ----------------------------------------------------------------------


def test_a_gaussian_process_finds_a_smooth_peak_in_batches_of_several_configs():
    at = np.arange(60)
    rng = np.random.default_rng(0)
    scores = -(((at - 41) / 30.0) ** 2)[:, None] + 0.002 * rng.normal(size=(60, 4))
    strategy = make_strategy("gaussian-process", line(60, 4), seed=0, max_cells=48)
    asked = play(strategy, scores, batch=12)  # three configs at once
    assert len({config for config, _ in asked}) == 12
    assert abs(strategy.winner() - 41) <= 3


@pytest.mark.parametrize("count", [2, 5, 9, 13, 14, 20])
@pytest.mark.parametrize("step", [0.0, 0.5, 2.0])  # of rounding: no ties, some, many and zeros
def test_the_signed_rank_test_is_scipy_s(count, step):
    rng = np.random.default_rng(count)
    for _ in range(4):
        differences = rng.normal(-0.5, 1, count)
        if step:
            differences = np.rint(differences / step) * step
        test = stats.wilcoxon(differences, alternative="less", zero_method="zsplit")
        np.testing.assert_allclose(p_less(differences), test.pvalue, rtol=1e-9)


def test_differences_that_all_vanish_are_no_evidence():
    assert p_less(np.zeros(4)) == p_less(np.zeros(20)) == 1.0
