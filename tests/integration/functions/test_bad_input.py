"""Bad input of one's own: what a person is told, row by row of the page's table."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest

import search
from search.api.tables import path_of
from search.errors import InputError
from trainables.engine.contract import Cell

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[3]
PAGE = " ".join((ROOT / "search/functions/README.md").read_text().split())
TEXTS = [f"a good film number {n}" for n in range(40)]
OTHERS = [f"a long plot number {n}" for n in range(40)]
LABELS = ["x", "y"] * 20

Told = Callable[..., str]


@pytest.fixture
def told(foldrace: Callable[..., tuple[int, str, str]], trained: list[Cell]) -> Told:
    """Runs a command that is refused before anything trains; what it says."""

    def command(*words: object) -> str:
        code, _, said = foldrace(*words)
        assert code == 2
        assert trained == []
        return " ".join(said.split())

    return command


def written(**columns: Any) -> str:
    pd.DataFrame(columns).to_csv("my.csv", index=False)
    return "my.csv"


def on_the_page(said: str) -> str:
    """A piece of a message, which the page's table has word by word."""
    assert said in PAGE
    return said


@pytest.mark.parametrize(
    ("columns", "words", "said"),
    [
        ({"a": range(40), "b": range(40), "label": LABELS}, (), "holds the texts?"),
        ({"one": TEXTS, "two": OTHERS, "label": LABELS}, (), "holds the texts?"),
        ({"text": TEXTS, "kind": LABELS, "sort": LABELS}, (), "holds the labels?"),
        ({"text": TEXTS, "label": ["x"] * 40}, (), "needs at least 2 classes, every row is"),
        (
            {"text": TEXTS, "label": LABELS},
            ("--objective", "rmse"),
            "No metric 'rmse' ranks configs",
        ),
        (
            {"text": TEXTS, "label": LABELS},
            ("--objective", "acuracy"),
            "Did you mean 'accuracy'?",
        ),
    ],
    ids=["no text", "two texts", "two labels", "one class", "no such metric", "misspelt"],
)
def test_a_table_or_an_objective_that_does_not_do(
    told: Told, columns: dict[str, Any], words: tuple[str, ...], said: str
) -> None:
    assert on_the_page(said) in told("plan", "--data", written(**columns), *words)


def test_a_file_of_another_version(told: Told) -> None:
    Path("sweep.toml").write_text("version = 7\nspace = 'finetune'\ndata = 'my.csv'\n")
    said = told("run", "sweep.toml")
    assert on_the_page("is of version 7, and this foldrace reads version 1") in said


def constant(config: Any, train: Any, test: Any, seed: int) -> Any:
    return [0] * len(test)


def forks(config: Any, train: Any, test: Any, seed: int) -> Any:
    os.fork()
    return [0] * len(test)


def go(function: Any, data: Any, name: str, **words: Any) -> Any:
    given = {"label": "y", "seeds": [2], "folds": 2, "progress": False, **words}
    return search.run(function, axes={"p": [1]}, data=data, name=name, **given)


FRAME = pd.DataFrame({"x": np.arange(40.0), "y": LABELS})


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (
            FRAME.set_axis(pd.MultiIndex.from_tuples([("a", 1), ("a", 2)]), axis=1),
            "columns have several levels (a MultiIndex)",
        ),
        (pd.concat([FRAME, FRAME[["x"]]], axis=1), "several columns called 'x'"),
        (FRAME.iloc[:0], "The frame has 0 rows"),
        (FRAME.assign(y=[None, "b"] * 20), "has missing values of 'y' in 20 of 40 rows"),
        (FRAME.assign(x=[[1]] * 40), "cells that are no numbers or texts"),
    ],
    ids=["levels", "twice", "empty", "missing", "lists"],
)
def test_a_frame_that_no_sweep_can_take(
    told: Told, trained: list[Cell], frame: pd.DataFrame, said: str
) -> None:
    with pytest.raises(InputError) as refused:
        go(constant, frame, "refused")
    assert on_the_page(said) in str(refused.value)
    assert trained == []


def test_rows_that_memory_cannot_hold(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=2**13))
    with pytest.raises(InputError) as refused:
        path_of(FRAME)
    assert on_the_page("and reading them as a sweep does some") in str(refused.value)


def test_frames_that_are_taken_as_they_are(told: Told) -> None:
    levels = FRAME.set_index([FRAME.index, FRAME["x"]])
    classes = FRAME.assign(y=pd.Categorical(FRAME["y"]), kind=pd.Categorical(["u", "v"] * 20))
    for name, frame in (("rows", levels), ("classes", classes)):
        assert go(constant, frame, name).leaderboard()["mean"].tolist() == [0.5]


def test_a_function_that_forks_costs_nothing(told: Told) -> None:
    assert go(forks, FRAME, "forks").leaderboard()["mean"].tolist() == [0.5]


def test_one_class_of_two_is_an_answer(told: Told) -> None:
    result = go(constant, FRAME, "one")
    assert result.leaderboard()["cells"].tolist() == [2]
    assert json.loads(json.dumps(result.answer))
