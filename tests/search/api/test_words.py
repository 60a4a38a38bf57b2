"""Words of Python: found, suggested, and turned into a sweep's specification."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from search.api.words import spec_of
from search.errors import InputError
from search.spec.sweep_spec import SweepSpec


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_words_of_the_command_line_make_a_specification() -> None:
    spec = spec_of(
        "linear_grid",
        {
            "data": "rumor.csv",
            "text": "body",
            "model": "minilm",
            "set": {"epochs": [2, 5], "learning_rate": "0.001,0.1"},
            "fix": {"clip_norm": 1.0},
            "seeds": 2,
            "max_cells": 40,
            "stop_margin": 0.7,
            "trials": 1,
            "clean": "urls",
        },
    )
    assert (spec.space, spec.data.text, spec.data.cleaning) == ("linear_grid", "body", ("urls",))
    assert spec.set_axes == {"epochs": (2, 5), "learning_rate": ("0.001", "0.1")}
    assert (spec.seeds, spec.budget.max_cells, spec.budget.stop_margin) == ((2,), 40, 0.007)
    assert spec.resources.trials == 1


def test_a_specification_is_taken_as_it_is_and_alone() -> None:
    spec = SweepSpec(space="linear_grid", data="trec", model="minilm")
    assert spec_of(spec, {}) is spec
    with pytest.raises(InputError, match="says all by itself: leave seeds out"):
        spec_of(spec, {"seeds": 2})


@pytest.mark.parametrize(
    ("what", "words", "said"),
    [
        ("linear_grid", {"data": "trec", "max_cell": 4}, "Did you mean 'max_cells'?"),
        ("linear_grid", {"data": "trec", "lable": "x"}, "Did you mean 'label'?"),
        ("linear_grid", {}, "data is missing"),
        ("linear_grid", {"data": "trec", "space": "smoke"}, "The space is given twice"),
        ("linear_grid", {"data": "trec", "axes": {"C": [1]}}, "only beside a training function"),
        ("linear_grid", {"data": 3}, "got a int"),
        (lambda: 0, {"data": "trec"}, "needs axes"),
        (3, {"data": "trec"}, "space must be a name or a spaces.Space, got 3"),
        ("smoke", {"data": "trec", "budget": {}, "max_cells": 3}, "say the same twice"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_may_be(
    what: Any, words: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError) as refused:
        spec_of(what, words)
    assert said in str(refused.value)
