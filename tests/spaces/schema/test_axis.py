"""Axis: what its values are, and which it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from spaces.schema.scalar import Scalar, read_scalar
from spaces.schema.space import Axis
from trainables.engine.errors import SpaceError


@pytest.mark.parametrize(
    ("domain", "values"),
    [
        (CategoricalDistribution([3, 1, 2]), (3, 1, 2)),
        (CategoricalDistribution(["a", None, True]), ("a", None, True)),
        (IntDistribution(2, 8, step=3), (2, 5, 8)),
        (FloatDistribution(0.1, 0.7, step=0.2), (0.1, 0.3, 0.5, 0.7)),
        (FloatDistribution(0.5, 0.5), (0.5,)),
    ],
)
def test_values_are_those_of_the_distribution(
    domain: BaseDistribution, values: tuple[Scalar, ...]
) -> None:
    axis = Axis(name="x", distribution=domain)
    assert axis.values == values
    assert axis.first == values[0]
    assert Axis.from_json(axis.to_json()) == axis


def test_whole_numbers_among_floats_become_floats() -> None:
    axis = Axis(name="x", distribution=CategoricalDistribution([1, 3.3]))
    assert [type(value) for value in axis.values] == [float, float]


@pytest.mark.parametrize(
    ("values", "ordered"), [([1, 2], True), ([0.1], True), (["a", "b"], False), ([True], False)]
)
def test_numbers_are_ordered_and_names_are_not(values: list[Scalar], ordered: bool) -> None:
    axis = Axis(name="x", distribution=CategoricalDistribution(values))
    assert axis.ordered is ordered


@pytest.mark.parametrize(
    ("name", "domain", "message"),
    [
        ("a b", IntDistribution(0, 1), "must be an identifier, got 'a b'"),
        ("x", CategoricalDistribution([1, 1.0]), r"distinct values, got \(1, 1.0\)"),
        ("x", CategoricalDistribution([True, 1]), r"distinct values, got \(True, 1\)"),
        ("x", CategoricalDistribution([0.1, math.inf]), "finite JSON scalars as values, got inf"),
        ("x", CategoricalDistribution([math.nan]), "finite JSON scalars as values, got nan"),
        ("x", CategoricalDistribution([np.float64(1)]), "finite JSON scalars as values, got .*1.0"),
        ("x", IntDistribution(0, 10**9), "at most 100,000 values, got 1,000,000,001: .*step"),
    ],
)
def test_a_faulty_axis_is_refused(name: str, domain: BaseDistribution, message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        Axis(name=name, distribution=domain)


def test_something_else_than_a_distribution_is_refused() -> None:
    with pytest.raises(SpaceError, match=r"must have a Categorical-, Int- or Float.*, got tuple"):
        Axis(name="x", distribution=(1, 2))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "symbol", "aliases"),
    [
        ("scale", "lambda", ("lambda", "λ")),
        ("margin", "delta", ("delta", "δ")),
        ("gamma", None, ("\N{GREEK SMALL LETTER GAMMA}",)),
        ("k", None, ()),
    ],
)
def test_an_axis_answers_to_its_symbol_and_its_letter(
    name: str, symbol: str | None, aliases: tuple[str, ...]
) -> None:
    axis = Axis(name=name, distribution=IntDistribution(0, 1), symbol=symbol)
    assert axis.aliases == aliases


@pytest.mark.parametrize(
    ("word", "kind", "value"),
    [
        (" 10 ", int, 10),
        ("1e3", int, 1000),
        (10.0, int, 10),
        (str(2**60 + 1), int, 2**60 + 1),
        ("3", float, 3.0),
        (3, float, 3.0),
        ("2e-5", float, 2e-5),
        ("Off", bool, False),
        ("true", bool, True),
        (False, bool, False),
        ("none", type(None), None),
        (" cls ", str, "cls"),
        ("10", str, "10"),
    ],
)
def test_words_are_read_in_the_type_that_is_wanted(word: Scalar, kind: type, value: Scalar) -> None:
    scalar = read_scalar(word, [kind])
    assert scalar == value
    assert type(scalar) is kind


@pytest.mark.parametrize(
    ("word", "value"), [("3", 3), ("3.5", 3.5), ("no", False), ("None", None), ("cls", "cls")]
)
def test_where_any_type_may_stand_the_narrowest_is_taken(word: str, value: Scalar) -> None:
    scalar = read_scalar(word, [str, float, int, bool, type(None)])
    assert scalar == value
    assert type(scalar) is type(value)


@pytest.mark.parametrize(
    ("value", "kinds", "message"),
    [
        ("a", [int], "must be a whole number, got 'a'"),
        (True, [int, float], "must be a whole number or a number, got True"),
        ("1e999", [float], "must be a number, got '1e999'"),
        (math.nan, [float], "must be a number, got nan"),
        ("1", [bool], "must be true or false, got '1'"),
        (1, [str, type(None)], "must be none or a text, got 1"),
    ],
)
def test_a_value_of_another_type_is_refused(value: Scalar, kinds: list[type], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_scalar(value, kinds)
