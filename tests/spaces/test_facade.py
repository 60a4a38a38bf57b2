"""The names that a plugin imports from `spaces`, and the example of its docstring."""

from __future__ import annotations

import doctest
import importlib

import pytest

import spaces


def test_the_example_runs() -> None:
    results = doctest.testmod(spaces)
    assert results.attempted >= 5
    assert results.failed == 0


@pytest.mark.parametrize("name", spaces.__all__)
def test_each_public_name_is_that_of_its_module(name: str) -> None:
    home = importlib.import_module(spaces._HOME[name])
    assert getattr(spaces, name) is getattr(home, name)


def test_another_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="module 'spaces' has no attribute 'Grid'"):
        spaces.Grid  # noqa: B018
