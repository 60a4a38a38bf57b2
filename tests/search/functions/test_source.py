"""A function of a script, written down: the file alone does what the function did."""

from __future__ import annotations

import json
import math
import urllib.parse as addresses
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.errors import InputError
from search.functions.source import file_of
from trainables.engine.registry import register_plugin

FACTOR = 3
NAMES = {"a": [1, 2], "b": None}
HANDLE = object()
ARRAY = np.array([1.5, 2.5])


class Doubler:
    """A class of the same file."""

    def twice(self, value: float) -> float:
        return 2 * value


def helper(value: float) -> float:
    return Doubler().twice(value) * FACTOR


def train(config: Any, train: Any, test: Any, seed: int) -> Any:
    found = OrderedDict(value=helper(config["x"]), sum=float(np.sum(ARRAY)))
    return json.dumps(found | {"pi": math.floor(math.pi), "n": NAMES, "p": addresses.quote("a b")})


def fit(config: Any, train: Any, test: Any, seed: int) -> Any:
    return recursive(config["x"])


def recursive(n: int) -> int:
    return 1 if n < 2 else n * recursive(n - 1)


def with_handle(config: Any, train: Any, test: Any, seed: int) -> Any:
    return HANDLE


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(function: Callable[..., Any], **declared: Any) -> Any:
    from trainables.engine import registry

    path = file_of({"train": function}, {"AXES": {"x": [1, 2]}, **declared})
    register_plugin(path)
    return registry.entry("trainables", path.stem)


def test_the_file_does_what_the_function_did() -> None:
    module = written(train)
    assert module.train({"x": 5}, None, None, 0) == train({"x": 5}, None, None, 0)
    assert module.AXES == {"x": [1, 2]}


def test_a_function_of_another_name_gives_the_file_its_own() -> None:
    module = written(fit)
    assert module.__name__.endswith("fit")
    assert module.train({"x": 5}, None, None, 0) == 120


def test_values_around_a_function_are_written_with_it() -> None:
    weight = 7

    def inner(config: Any, train: Any, test: Any, seed: int) -> Any:
        return config["x"] * weight

    assert written(inner).train({"x": 2}, None, None, 0) == 14


def test_the_same_function_is_the_same_file_and_another_constant_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    axes = {"AXES": {"x": [1]}}
    first = file_of({"train": train}, axes)
    assert file_of({"train": train}, axes) == first
    monkeypatch.setitem(globals(), "FACTOR", 4)
    assert file_of({"train": train}, axes) != first


def test_what_cannot_be_written_down_is_named() -> None:
    with pytest.raises(InputError, match="with_handle uses 'HANDLE', a object that cannot"):
        file_of({"train": with_handle}, {})
    with pytest.raises(InputError, match="A lambda cannot be written down"):
        file_of({"train": lambda config, train, test, seed: 0}, {})


def test_a_function_without_source_is_told_to_become_a_file() -> None:
    scope: dict[str, Any] = {}
    exec("def made(config, train, test, seed):\n    return 0", scope)
    scope["made"].__module__ = "__main__"
    with pytest.raises(InputError, match=r"write it into a \.py file"):
        file_of({"train": scope["made"]}, {})
