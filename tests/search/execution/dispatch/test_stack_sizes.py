"""How many cells a stack holds, by what they take and what trains fastest."""

from __future__ import annotations

import math

import pytest

from search.execution.dispatch.stack_sizes import StackSizes


@pytest.mark.parametrize(
    ("seconds", "size"), [(0.001, 512), (0.02, 250), (1.0, 5), (2.5, 2), (60.0, 1)], ids=str
)
def test_auto_stacks_hold_about_five_seconds_of_training(seconds: float, size: int) -> None:
    sizes = StackSizes("auto", slots=1, received=100_000)
    sizes.fastest(1)
    assert sizes.most() == 1, "nothing measured yet"
    sizes.took("shape", seconds)
    assert sizes.most() == size
    assert sizes.most("shape") == size


def test_a_given_size_is_kept() -> None:
    sizes = StackSizes(7, slots=4)
    assert sizes.most() == 7
    sizes.took("shape", 100.0)
    sizes.fastest(3, "shape")
    assert sizes.most("shape") == 7


def test_each_shape_has_the_size_that_is_fastest_for_it() -> None:
    sizes = StackSizes("auto", slots=1)
    for shape, seconds, fastest in (("small", 0.1, 32), ("large", 50.0, 2)):
        assert sizes.most(shape) == (1 if shape == "small" else 2), "its first ones"
        sizes.took(shape, seconds)
        sizes.fastest(fastest, shape)
    assert sizes.most("small") == 32
    assert sizes.most("large") == 2
    assert sizes.most() == 32, "of the shape that may hold most"
    assert sizes.seconds("small") == 0.1
    assert sizes.seconds("never seen") == sizes.seconds() == pytest.approx(50.1 / 2)


def test_in_view_of_a_deadline_a_stack_is_short_but_what_trains_as_one_stays_one() -> None:
    sizes = StackSizes("auto", slots=8)
    sizes.took("shape", 2.0)
    assert sizes.longest(math.inf) is None
    assert sizes.longest(80.0) == 5.0
    assert sizes.longest(8.0) == 2.0, "one cell, whatever it takes"
    sizes.fastest(6, "shape")
    assert sizes.longest(80.0) == 12.0
