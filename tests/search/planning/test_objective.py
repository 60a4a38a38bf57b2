"""The metric that ranks configs: any one, low where that is good, and no part of a key."""

from __future__ import annotations

import pytest

from search.errors import InputError
from search.planning.chosen_space import narrowed_space
from search.spec.make_spec import make_spec
from trainables.engine.training.scoring import check_objective, low_is_good, of_predictions


@pytest.mark.parametrize(
    ("typed", "name", "mode"),
    [
        ("macro-f1", "macro_f1", "max"),
        ("weighted_f1", "weighted_f1", "max"),
        ("f1_LOC", "f1_LOC", "max"),
        ("loss", "loss", "min"),
        ("entropy", "entropy", "min"),
        ("seconds", "seconds", "min"),
        ("peak-memory-mib", "peak_memory_mib", "min"),
    ],
)
def test_it_takes_the_place_of_the_spaces_own(typed: str, name: str, mode: str) -> None:
    space = narrowed_space(make_spec(data="trec", objective=typed))
    assert (space.objective, space.mode) == (name, mode)
    assert narrowed_space(make_spec(data="trec")).objective == "accuracy"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("macrof1", "Did you mean 'macro_f1'?"),
        ("f1", "and of one class f1_CLASS"),
        ("train_loss", "No metric 'train_loss' ranks configs"),
    ],
)
def test_what_no_cell_has_is_refused_by_name(typed: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        narrowed_space(make_spec(data="trec", objective=typed))
    assert said in str(refused.value)


def test_a_class_that_the_data_lack_is_refused_with_those_they_have() -> None:
    assert check_objective("f1_LOC", ["LOC", "NUM"]) == "f1_LOC"
    with pytest.raises(InputError, match=r"Did you mean 'f1_LOC'\?.*of one class f1_LOC\|NUM"):
        check_objective("f1_LAC", ["LOC", "NUM"])


def test_the_machines_metrics_are_made_of_no_predictions() -> None:
    assert not of_predictions("seconds")
    assert of_predictions("f1_LOC")
    assert low_is_good("seconds")
    assert not low_is_good("accuracy")
