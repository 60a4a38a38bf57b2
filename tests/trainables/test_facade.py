"""The names that a plugin imports from `trainables`, and the example of its docstring."""

from __future__ import annotations

import doctest
import importlib

import pytest

import trainables


def test_the_example_runs() -> None:
    results = doctest.testmod(trainables)
    assert results.attempted >= 10
    assert results.failed == 0


@pytest.mark.parametrize("name", trainables.__all__)
def test_each_public_name_is_that_of_its_module(name: str) -> None:
    home = importlib.import_module(f"trainables.engine.{trainables._HOME[name]}")
    assert getattr(trainables, name) is getattr(home, name)
    assert name in dir(trainables)


def test_a_trainable_is_no_public_name_but_a_module() -> None:
    assert "tweets" not in trainables.__all__
    with pytest.raises(AttributeError, match="module 'trainables' has no attribute 'Tweets'"):
        trainables.Tweets  # noqa: B018
