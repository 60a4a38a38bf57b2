"""Cells that fail alike: told from configs that fail, and from failures of several causes."""

from __future__ import annotations

import numpy as np
import pytest

from search.execution.failure_watch import FailureWatch, kind_of
from tests import factories

ERROR = "KeyError: 'width' (my_cells.py, line 6: config['width'])"


@pytest.fixture
def watch() -> FailureWatch:
    """Of 21 configs: beta's ten values by gamma's two, and the reference; four blocks."""
    values = {"beta": tuple(f"{n / 10}" for n in range(10)), "gamma": ("0.1", "0.2")}
    plan = factories.plan(set_axes=values)
    scores = np.full((len(plan.configs), len(plan.blocks)), np.nan)
    return FailureWatch(plan.configs, plan.blocks, scores)


def configs_of(watch: FailureWatch, **values: float) -> list[int]:
    return [
        index
        for index, config in enumerate(watch.configs)
        if all(config[name] == value for name, value in values.items())
    ]


def varied(watch: FailureWatch) -> list[int]:
    """Six configs that share no value."""
    return [configs_of(watch, gamma=gamma)[at] for at, gamma in enumerate([0.1, 0.2] * 3)]


def test_five_failures_of_one_cause_are_told_once_with_the_error(watch: FailureWatch) -> None:
    chosen = varied(watch)
    for config in chosen[:4]:
        watch.see((config, config % 4), ERROR)
        assert watch.reason is None
    watch.see((chosen[4], 3), ERROR)
    assert watch.reason == (
        f"All 5 cells failed alike, whatever their config: the sweep was stopped. {ERROR}"
    )


def test_failures_of_one_value_are_its_own(watch: FailureWatch) -> None:
    for config in configs_of(watch, gamma=0.1):
        watch.see((config, config % 4), ERROR)
    assert watch.reason is None


def test_one_score_shows_that_cells_can_be_trained(watch: FailureWatch) -> None:
    watch.scores[(0, 0)] = 0.5
    for config in range(1, 9):
        watch.see((config, config % 4), ERROR)
    assert watch.reason is None


def test_failures_of_several_causes_are_not_alike(watch: FailureWatch) -> None:
    for config in range(8):
        watch.see((config, config % 4), f"KeyError: 'width' (my_cells.py, line {config})")
    assert watch.reason is None


def test_a_block_that_no_config_gets_through_ends_the_sweep(watch: FailureWatch) -> None:
    watch.scores[(20, 1)] = 0.5
    for config in varied(watch)[:5]:
        watch.see((config, 2), ERROR)
    seed, fold = watch.blocks[2]
    assert watch.reason is not None
    assert watch.reason.startswith(
        f"All 5 configs that were tried on fold {fold} of seed {seed} failed there alike"
    )


@pytest.mark.parametrize(
    ("first", "second", "alike"),
    [
        (ERROR, "KeyError: 'depth' (my_cells.py, line 6: config['width'])", True),
        (ERROR, "KeyError: 'width' (my_cells.py, line 7: config['width'])", False),
        ("no memory for 3,104 rows of 'a.csv'", "no memory for 17 rows of 'b.csv'", True),
        ("no memory", "no disk", False),
    ],
)
def test_kinds_of_errors(first: str, second: str, alike: bool) -> None:
    assert (kind_of(first) == kind_of(second)) is alike
