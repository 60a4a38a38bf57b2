"""The ask/tell contract, the same for every strategy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.strategies.named import make_strategy
from search.strategies.strategy import Problem, Strategy

NAMES = ("grid", "random", "tpe", "halving", "wilcoxon", "race")

# May return fewer cells than asked for, to see results first.
WAITING = ("halving", "race")


def small(*, configs=12, blocks=4, floor=(), prior=(), mode="max", axes=(3, 4)) -> Problem:
    grid = np.array(list(itertools.product(*(range(n) for n in axes))), float)[:configs]
    return Problem(
        features=grid,
        shapes=grid[:, 0].astype(np.int64),
        blocks=blocks,
        floor=floor,
        prior=prior,
        mode=mode,
    )


def score(config: int, block: int) -> float:
    return 0.5 + 0.01 * config + 0.03 * block + 0.001 * ((config * 7 + block * 3) % 5)


def play(strategy: Strategy, batch: int = 3) -> list[tuple[int, int]]:
    """Ask and tell at once until done; the cells in the order they were asked."""
    asked = []
    for _ in range(100_000):
        cells = strategy.ask(batch)
        asked += cells
        for cell in cells:
            strategy.tell(*cell, score(*cell))
        if strategy.done:
            return asked
        assert cells, "neither done nor asking, with nothing under way"
    raise AssertionError("never done")


@pytest.mark.parametrize("name", ["grid", "random", "tpe"])
def test_without_a_budget_every_cell_is_asked_once(name):
    asked = play(make_strategy(name, small()))
    assert sorted(asked) == list(itertools.product(range(12), range(4)))


@pytest.mark.parametrize("name", NAMES)
def test_no_cell_is_asked_twice_nor_after_it_was_told(name):
    strategy = make_strategy(name, small(), seed=3)
    reused = [(0, 0), (5, 2), (11, 3)]
    for cell in reused:
        strategy.tell(*cell, score(*cell))
    asked = play(strategy, batch=5)
    assert len(set(asked)) == len(asked)
    assert not set(asked) & set(reused)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in WAITING])
def test_the_budget_counts_reused_asked_and_failed_cells(name):
    strategy = make_strategy(name, small(), max_cells=10)
    strategy.tell(3, 1, 0.5)
    first = strategy.ask(4)
    assert len(first) == 4
    strategy.tell(*first[0], None)
    rest = strategy.ask(100)
    assert len(rest) == 5
    assert strategy.ask(1) == []
    assert not strategy.done
    for cell in [*first[1:], *rest]:
        strategy.tell(*cell, 0.5)
    assert strategy.done
    assert strategy.spent == 10


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("budget", [1, 7, 20])
def test_the_budget_is_never_exceeded(name, budget):
    strategy = make_strategy(name, small(floor=(2,)), max_cells=budget)
    assert len(play(strategy, batch=6)) <= budget
    assert strategy.done


@pytest.mark.parametrize("name", NAMES)
def test_the_floor_gets_every_block_first(name):
    strategy = make_strategy(name, small(floor=(7, 2)), max_cells=9)
    asked = play(strategy)
    assert set(asked[:8]) == set(itertools.product((7, 2), range(4)))


@pytest.mark.parametrize("name", NAMES)
def test_first_guesses_follow_the_floor(name):
    asked = play(make_strategy(name, small(floor=(7,), prior=(9,)), max_cells=8), batch=1)
    assert {config for config, _ in asked[4:]} == {9}


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_keeps_the_cells_of_a_shape_together(name):
    problem = small(floor=(0, 11, 1, 10))
    groups = [problem.shapes[config] for config, _ in make_strategy(name, problem).ask(30)]
    assert len(list(itertools.groupby(groups))) == len(set(groups))


@pytest.mark.parametrize("name", NAMES)
def test_a_forgotten_cell_is_asked_again(name):
    strategy = make_strategy(name, small())
    first = strategy.ask(2)
    strategy.forget(*first[0])
    assert first[0] in strategy.ask(3)
    assert not strategy.done


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15, deadline=None)
@given(order=st.randoms(use_true_random=False), count=st.integers(0, 40))
def test_resuming_depends_on_what_was_told_and_not_on_its_order(name, order, count):
    told = play(make_strategy(name, small(), seed=1, max_cells=count + 4), batch=4)[:count]
    shuffled = list(told)
    order.shuffle(shuffled)
    one, two = (make_strategy(name, small(), seed=1) for _ in range(2))
    for cell in told:
        one.tell(*cell, score(*cell))
    for cell in shuffled:
        two.tell(*cell, score(*cell))
    assert one.ask(6) == two.ask(6)
    assert one.winner() == two.winner()


@pytest.mark.parametrize("name", NAMES)
def test_a_config_with_a_failed_cell_is_not_complete_and_never_wins(name):
    strategy = make_strategy(name, small(configs=3, axes=(3, 1)))
    for config, block in itertools.product(range(3), range(4)):
        strategy.tell(config, block, None if (config, block) == (2, 0) else float(config))
    assert strategy.done
    assert strategy.winner() == 1
    assert np.isnan(strategy.board.means()[2])


def test_a_missing_easy_block_does_not_lower_the_adjusted_mean():
    strategy = make_strategy("grid", small(configs=6, axes=(6, 1)))
    effects = [0.0, 0.1, 0.2, 0.7]
    for config, block in itertools.product(range(6), range(4)):
        if (config, block) != (5, 3):
            strategy.tell(config, block, config + effects[block])
    strategy.tell(5, 3, None)
    adjusted = strategy.board.adjusted_means(sweeps=50)
    assert adjusted == pytest.approx(np.arange(6) + 0.25, abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_the_best_has_the_lowest_mean_where_low_is_good(name):
    strategy = make_strategy(name, small(mode="min"))
    play(strategy)
    assert strategy.winner() == 0


def test_random_orders_differ_by_seed_and_repeat_with_it():
    orders = [play(make_strategy("random", small(), seed=seed)) for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def test_tpe_finds_a_smooth_peak_sooner_than_chance():
    axes = (8, 8, 8)
    problem = small(configs=512, blocks=1, axes=axes)
    peak = np.array([5, 2, 6])

    def value(config: int) -> float:
        return -float(np.square(problem.features[config] - peak).sum())

    best = []
    for name in ("tpe", "random"):
        reached = []
        for seed in range(5):
            strategy = make_strategy(name, problem, seed=seed, max_cells=60)
            while not strategy.done:
                for cell in strategy.ask(1):
                    strategy.tell(*cell, value(cell[0]))
            reached.append(np.nanmax(strategy.board.means()))
        best.append(np.mean(reached))
    assert best[0] > best[1] + 1


def test_tpe_takes_inert_axes_and_a_failed_config():
    features = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [3.0, np.nan]])
    problem = Problem(features=features, shapes=np.zeros(4, np.int64), blocks=2, unordered=(0,))
    strategy = make_strategy("tpe", problem)
    strategy.tell(3, 0, 0.9)
    strategy.tell(3, 1, 0.8)
    strategy.tell(0, 0, None)
    strategy.tell(0, 1, None)
    assert {config for config, _ in strategy.ask(4)} == {1, 2}


def test_telling_the_same_score_twice_is_harmless_and_another_score_is_refused():
    strategy = make_strategy("grid", small())
    strategy.tell(0, 0, 0.5)
    strategy.tell(0, 0, 0.5)
    strategy.tell(0, 0, None)
    assert strategy.board.scores[0, 0] == 0.5
    assert strategy.spent == 1
    with pytest.raises(ValueError, match=r"cell \(0, 0\) was told 0.5 before and now 0.6"):
        strategy.tell(0, 0, 0.6)


def test_a_failed_cell_that_is_retried_with_success_counts_once():
    strategy = make_strategy("grid", small())
    strategy.tell(0, 0, None)
    strategy.tell(0, 0, 0.5)
    assert strategy.spent == 1
    assert strategy.board.scores[0, 0] == 0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.ask(0), "at least 1 cell, got n=0"),
        (lambda s: s.tell(12, 0, 0.5), r"cell \(12, 0\) is outside the 12 configs x 4 blocks"),
        (lambda s: s.tell(0, -1, 0.5), r"cell \(0, -1\) is outside"),
        (lambda s: s.tell(0, 0, float("nan")), "must be finite, or None for a failed cell"),
        (lambda s: s.forget(0, 0), r"cell \(0, 0\) is not under way"),
    ],
)
def test_wrong_calls_say_what_is_allowed(call, message):
    with pytest.raises(ValueError, match=message):
        call(make_strategy("grid", small()))


@pytest.mark.parametrize(
    ("name", "max_cells", "message"),
    [("greed", None, "No strategy named 'greed'. Known: race, grid"), ("grid", 0, "got 0")],
)
def test_wrong_settings_say_what_is_allowed(name, max_cells, message):
    with pytest.raises(ValueError, match=message):
        make_strategy(name, small(), max_cells=max_cells)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shapes": np.zeros(3, np.int64)}, r"one group per config, 12"),
        ({"blocks": 0}, "blocks must be at least 1, got 0"),
        ({"floor": (12,)}, "floor must be distinct ids below 12"),
        ({"prior": (1, 1)}, "prior must be distinct ids below 12"),
        ({"mode": "up"}, "mode must be 'max' or 'min', got 'up'"),
        ({"features": np.zeros((0, 2))}, r"got shape \(0, 2\)"),
    ],
)
def test_a_problem_that_does_not_fit_together_is_refused(change, message):
    fields = {"features": np.zeros((12, 2)), "shapes": np.zeros(12, np.int64), "blocks": 4}
    with pytest.raises(ValueError, match=message):
        Problem(**{**fields, **change})
