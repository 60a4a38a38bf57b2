"""What each strategy decides, as tables; the contract they share is in test_strategy.py."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import optuna
import pytest

from search.strategies.named import make_strategy
from search.strategies.strategy import Problem, Strategy


def line(configs: int, blocks: int, **rest) -> Problem:
    return Problem(
        features=np.arange(configs, dtype=float)[:, None],
        shapes=np.zeros(configs, np.int64),
        blocks=blocks,
        **rest,
    )


def play(strategy: Strategy, scores: np.ndarray, batch: int = 4) -> None:
    while cells := strategy.ask(batch):
        for config, block in cells:
            value = float(scores[config, block])
            strategy.tell(config, block, value if np.isfinite(value) else None)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("mode", ["max", "min"])
def test_wilcoxon_drops_a_config_where_optuna_s_pruner_does(mode):
    rng = np.random.default_rng(4)
    best = rng.normal(0, 1, 12)
    direction = "maximize" if mode == "max" else "minimize"
    study = optuna.create_study(direction=direction, pruner=optuna.pruners.WilcoxonPruner())
    study.add_trial(
        optuna.trial.create_trial(
            value=best.mean(), intermediate_values=dict(enumerate(best.tolist()))
        )
    )
    verdicts = []
    for shift, told in itertools.product((-1.0, -0.3, 0.0, 0.3, 1.0), range(1, 12)):
        other = best + shift + rng.normal(0, 0.5, 12)
        strategy = make_strategy("wilcoxon", line(2, 12, prior=(0,), mode=mode))
        trial = study.ask()
        for block in range(12):
            strategy.tell(0, block, best[block])
        for block in range(told):
            strategy.tell(1, block, other[block])
            trial.report(other[block], block)
        verdicts.append((strategy.ask(1) == [], trial.should_prune()))
    ours, theirs = zip(*verdicts, strict=True)
    assert ours == theirs
    assert 0 < sum(ours) < len(ours)


def test_halving_gives_each_rung_three_times_the_cells_to_a_third_of_the_configs():
    scores = np.arange(27)[:, None] + np.zeros((27, 9))
    strategy = make_strategy("halving", line(27, 9))
    play(strategy, scores)
    told = (strategy.board.state == 2).sum(axis=1)
    # 27 configs x 1 cell, the best 9 get 3, the best 3 of those all 9.
    assert told.tolist() == [1] * 18 + [3] * 6 + [9] * 3
    assert strategy.winner() == 26


def test_halving_waits_for_the_last_cell_of_a_rung():
    strategy = make_strategy("halving", line(3, 3))
    assert len(strategy.ask(10)) == 3
    assert strategy.ask(10) == []
    assert not strategy.done


def test_halving_under_a_budget_still_completes_a_config():
    strategy = make_strategy("halving", line(500, 20, floor=(0,)), max_cells=200)
    play(strategy, np.random.default_rng(0).normal(size=(500, 20)))
    assert strategy.spent <= 200
    assert strategy.board.complete().sum() >= 2


def peak(configs: int, blocks: int, noise: float, seed: int = 0) -> np.ndarray:
    """Scores with a smooth top at 0.7 of the line, and blocks that differ by 1."""
    rng = np.random.default_rng(seed)
    truth = -np.square((np.arange(configs) - 0.7 * configs) / configs)
    return truth[:, None] + rng.normal(size=blocks) + noise * rng.normal(size=(configs, blocks))


@pytest.mark.parametrize("budget", [80, 150, 400])
@pytest.mark.parametrize("batch", [1, 16, 64])
def test_a_race_ends_with_complete_finalists_whatever_budget_and_batch(budget, batch):
    strategy = make_strategy("race", line(60, 20, floor=(3,)), max_cells=budget)
    play(strategy, peak(60, 20, noise=0.05), batch)
    assert strategy.spent == budget
    assert strategy.board.complete().sum() >= 2
    if budget > 80:
        assert abs(strategy.winner() - 42) <= 8


def test_a_race_with_references_keeps_cells_for_its_middle():
    # 40 of 108 cells are the references', 13 the opening's: a final of three would take the rest.
    strategy = make_strategy("race", line(108, 20, floor=(0, 107)), max_cells=108)
    play(strategy, peak(108, 20, noise=0.05), 16)
    cells = np.isfinite(strategy.board.scores).sum(axis=1)
    assert strategy.winner() not in (0, 107)
    assert (cells == 20).sum() in (3, 4)
    assert ((cells > 1) & (cells < 20)).any(), "some were looked at twice and left"


@pytest.mark.parametrize("allowed", [120, 250, 600])
def test_a_race_against_the_clock_keeps_time_for_its_final(allowed):
    # No budget of cells: only what is said to be left, less with every cell, until time is up.
    scores = peak(200, 20, noise=0.02)
    strategy = make_strategy("race", line(200, 20), max_cells=4000)
    while strategy.spent < allowed:
        strategy.afford(allowed - strategy.spent)
        for config, block in strategy.ask(min(4, allowed - strategy.spent)):
            strategy.tell(config, block, float(scores[config, block]))
    assert strategy.spent <= allowed
    assert strategy.board.complete().sum() >= 2
    assert strategy.winner() is not None
    resumed = make_strategy("race", line(200, 20), max_cells=4000)
    for config, block in np.argwhere(np.isfinite(strategy.board.scores)).tolist():
        resumed.tell(config, block, float(strategy.board.scores[config, block]))
    assert not resumed.done, "with more time, the race goes on"


def test_leaders_that_change_in_the_final_leave_no_race_without_a_complete_config():
    # Cells so noisy that the ranking turns with every batch, and a budget of three configs' cells.
    for seed in range(20):
        scores = peak(60, 20, noise=0.5, seed=seed)
        strategy = make_strategy("race", line(60, 20), seed=seed, max_cells=70)
        play(strategy, scores)
        assert strategy.board.complete().any()
        assert strategy.winner() is not None


def test_a_race_without_a_budget_ends_by_itself_with_few_cells():
    strategy = make_strategy("race", line(200, 20, floor=(0,)))
    scores = peak(200, 20, noise=0.002)
    play(strategy, scores)
    assert strategy.done
    assert strategy.spent < 0.15 * scores.size
    means = scores.mean(axis=1)
    assert means.max() - means[strategy.winner()] < 0.005


@pytest.mark.parametrize("spent", ["by its margin", "by its usual number of cells"])
def test_a_value_that_is_added_to_an_axis_of_a_finished_race_is_tried(spent):
    noise = 0.001 if spent == "by its margin" else 0.2

    def grid(values: int) -> Problem:
        features = np.array([[a, b] for a in range(8) for b in range(values)], float)
        return Problem(features=features, shapes=np.zeros(8 * values, np.int64), blocks=5)

    # The new value, the fourth of the second axis, is the best by far.
    truth = np.array([[0.01 * a + (0.3 if b == 3 else 0.0)] for a in range(8) for b in range(4)])
    scores = truth + np.random.default_rng(0).normal(0, noise, (32, 5))
    old = [config for config in range(32) if config % 4 < 3]
    before = make_strategy("race", grid(3))
    play(before, scores[old])
    assert before.stopped is not None
    after = make_strategy("race", grid(4))
    for config, block in np.argwhere(np.isfinite(before.board.scores)).tolist():
        after.tell(old[config], block, float(before.board.scores[config, block]))
    assert not after.done
    assert after.stopped is None
    play(after, scores)
    fresh = np.isfinite(after.board.scores).any(axis=1)[3::4]
    assert fresh.any()
    if spent == "by its margin":
        assert after.winner() % 4 == 3


def test_each_strategy_says_why_it_stopped():
    scores = peak(40, 6, noise=0.01)
    told = {}
    for name in ("race", "grid", "halving", "wilcoxon"):
        strategy = make_strategy(name, line(40, 6))
        assert strategy.stopped is None
        play(strategy, scores)
        told[name] = strategy.stopped
    assert told["grid"] == "every cell is there"
    assert "probability under 5%" in told["race"] or "usually takes" in told["race"]
    assert "rung" in told["halving"]
    assert told["wilcoxon"] is not None
    budget = make_strategy("random", line(40, 6), max_cells=7)
    play(budget, scores)
    assert budget.stopped == "its budget of 7 cells is spent"


def test_the_margin_is_told_in_the_scores_own_unit():
    for problem in (line(9, 4), replace(line(9, 4), unit="hundredths of a nat", mode="min")):
        strategy = make_strategy("race", problem, stop_margin=0.02)
        policy = strategy._policy
        assert f"more than 2.00 {problem.unit} with" in policy.reason(strategy.board)


def test_a_wider_margin_ends_a_race_sooner():
    spent = []
    for margin in (0.01, 0.05):
        strategy = make_strategy("race", line(100, 20), stop_margin=margin)
        play(strategy, peak(100, 20, noise=0.05))
        spent.append(strategy.spent)
    assert spent[1] < spent[0]


def test_a_race_leaves_a_config_alone_that_has_failed():
    scores = peak(60, 20, noise=0.01)
    scores[40:45] = np.nan
    strategy = make_strategy("race", line(60, 20), max_cells=300)
    play(strategy, scores, batch=2)
    assert (strategy.board.state[40:45] == 3).sum() <= 10
    assert strategy.winner() not in range(40, 45)


@pytest.mark.parametrize(("name", "away"), [("race", 3), ("grid", 3), ("halving", 8)])
def test_a_config_that_lost_a_few_cells_can_still_win(name, away):
    # A tenth of all cells is lost, whatever the config: one in eight has all of its 20.
    scores = peak(60, 20, noise=0.02, seed=3)
    lost = np.random.default_rng(1).random(scores.shape) < 0.1
    strategy = make_strategy(name, line(60, 20), max_cells=None if name == "grid" else 400)
    play(strategy, np.where(lost, np.nan, scores))
    whole = np.flatnonzero(~lost.any(axis=1))
    assert 42 not in whole, "the best one has lost a cell"
    assert abs(strategy.winner() - 42) <= away


def test_a_config_that_lost_more_than_a_fifth_of_its_cells_never_wins():
    strategy = make_strategy("grid", line(3, 10))
    for config, block in itertools.product(range(3), range(10)):
        failed = config == 2 and block < 3
        strategy.tell(config, block, None if failed else float(config))
    assert strategy.winner() == 1
    strategy.tell(2, 0, 2.0)
    assert strategy.winner() == 2, "two of ten are bearable"


@pytest.mark.parametrize("batch", [16, 64, 256])
def test_no_ask_of_a_race_spends_the_budget_that_later_asks_know_better_how_to_spend(batch):
    strategy = make_strategy("race", line(100, 20), max_cells=300)
    scores, sizes = peak(100, 20, noise=0.05), []
    while cells := strategy.ask(batch):
        sizes.append(len(cells))
        for config, block in cells:
            strategy.tell(config, block, float(scores[config, block]))
    assert sum(sizes) == 300
    assert max(sizes) <= 100
    assert len(sizes) >= 10


def test_slots_that_ask_one_after_another_get_no_more_than_one_large_batch():
    strategy = make_strategy("race", line(100, 20), max_cells=600)
    scores = peak(100, 20, noise=0.05)
    for config, block in strategy.ask(500):  # the opening
        strategy.tell(config, block, float(scores[config, block]))
    left = 600 - strategy.spent
    stacks = [strategy.ask(64, slots=8) for _ in range(8)]
    assert min(map(len, stacks)) >= 1, "no slot stands idle"
    assert sum(map(len, stacks)) <= left / 3


def test_a_metric_that_never_changes_ends_a_race_at_once():
    points = np.array(list(itertools.product(range(10), range(10))), float)
    problem = Problem(features=points, shapes=np.zeros(100, np.int64), blocks=20)
    strategy = make_strategy("race", problem)
    play(strategy, np.full((100, 20), 0.5))
    assert strategy.stopped is not None
    assert "probability under 5%" in strategy.stopped
    assert strategy.spent <= 80


def test_an_axis_of_a_hundred_names_is_told_apart():
    # Each name has an effect of its own; the best stands alone among its neighbours.
    rng = np.random.default_rng(0)
    effects = rng.normal(0, 0.3, 100)
    effects[37] = 1.5
    points = np.array(list(itertools.product(range(100), range(5))), float)
    truth = effects[points[:, 0].astype(int)] + 0.1 * points[:, 1]
    problem = Problem(features=points, shapes=np.zeros(500, np.int64), blocks=10, unordered=(0,))
    scores = truth[:, None] + rng.normal(0, 0.2, (500, 10))
    strategy = make_strategy("race", problem, max_cells=400)
    play(strategy, scores, batch=16)
    assert points[strategy.winner(), 0] == 37


def test_what_an_earlier_sweep_found_is_tried_first_and_believed_only_if_it_holds():
    scores = peak(200, 20, noise=0.03)
    truth = -np.square((np.arange(200) - 140) / 200)
    for earlier in (truth, -truth, np.random.default_rng(0).normal(size=200)):
        strategy = make_strategy("race", line(200, 20, earlier=earlier[None]), max_cells=200)
        opening = {config for config, _ in strategy.ask(200)}
        assert int(earlier.argmax()) in opening
        strategy = make_strategy("race", line(200, 20, earlier=earlier[None]), max_cells=200)
        play(strategy, scores, batch=8)
        assert abs(strategy.winner() - 140) <= 16


def test_a_race_of_few_cells_leaves_enough_to_complete_one_config():
    # 20 cells are the floor's, and 23 are left: an opening of five configs would leave 18.
    strategy = make_strategy("race", line(100, 20, floor=(0,)), max_cells=43)
    play(strategy, peak(100, 20, noise=0.03), batch=4)
    assert strategy.board.complete().sum() == 2


@pytest.mark.parametrize("batch", [1, 4])
def test_a_race_with_cells_for_all_completes_two_configs_that_are_alike(batch):
    strategy = make_strategy("race", line(2, 3), stop_margin=0.005)
    play(strategy, 0.8 + np.random.default_rng(0).normal(0, 0.01, (2, 3)), batch)
    assert strategy.board.whole().all()


def test_the_winner_is_named_by_the_race_s_own_cells_whatever_guided_it():
    scores, winners = peak(60, 10, noise=0.05), []
    given = np.random.default_rng(1).random((60, 10)) < 0.2
    given[[20, 30, 42, 45]] = True
    truth = -np.square(np.arange(60) - 42.0)
    for earlier in (None, truth[None], -truth[None]):
        strategy = make_strategy("race", line(60, 10, earlier=earlier), max_cells=600)
        for config, block in np.argwhere(given).tolist():
            strategy.tell(config, block, float(scores[config, block]))
        winners.append(strategy.winner())
    assert len(set(winners)) == 1


def test_earlier_scores_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"earlier must hold a score per config, \(sweeps, 5\)"):
        line(5, 2, earlier=np.zeros((1, 4)))


def test_a_race_in_which_all_fails_ends():
    strategy = make_strategy("race", line(6, 4), max_cells=20)
    play(strategy, np.full((6, 4), np.nan))
    assert strategy.done
    assert strategy.winner() is None


def test_the_opening_spreads_over_the_blocks():
    strategy = make_strategy("race", line(400, 20), max_cells=1000)
    blocks = [block for _, block in strategy.ask(100)]
    assert len(set(blocks)) == 20
    assert max(np.bincount(blocks)) <= 15


def test_the_winner_of_a_race_is_not_a_lone_peak_among_poor_neighbours():
    # A smooth hill around config 25; config 5 beats its top by a tenth of one mean's noise.
    rng = np.random.default_rng(0)
    hill = np.exp(-np.square((np.arange(40) - 25) / 10))
    scores = hill[:, None] + 0.5 * rng.normal(size=(40, 20))
    scores[5] += scores.mean(axis=1).max() + 0.01 - scores[5].mean()
    strategy = make_strategy("race", line(40, 20))
    for config, block in itertools.product(range(40), range(20)):
        strategy.tell(config, block, scores[config, block])
    assert scores.mean(axis=1).argmax() == 5
    assert abs(strategy.winner() - 25) < 5


@pytest.mark.parametrize(
    ("name", "margin", "message"),
    [
        ("race", 0.0, "stop_margin must be above 0, got 0.0"),
        ("grid", 0.1, "stop_margin ends a race only, got it for strategy 'grid'"),
    ],
)
def test_a_stop_margin_that_means_nothing_is_refused(name, margin, message):
    with pytest.raises(ValueError, match=message):
        make_strategy(name, line(3, 2), stop_margin=margin)
