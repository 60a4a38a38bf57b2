"""The spaces that are declared: the paper's numbers, as the paper has them."""

from __future__ import annotations

import importlib
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

import spaces
from spaces import Space
from spaces.smoke import SPACE as SMOKE
from spaces.softtriple import SPACE as SOFTTRIPLE
from trainables.engine.cells.trainable import Trainable

NAMES = sorted(
    path.stem for path in Path(spaces.__path__[0]).glob("*.py") if not path.name.startswith("_")
)


def test_there_are_spaces() -> None:
    assert {"softtriple", "smoke"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_file_declares_one_space_of_its_own_name(name: str) -> None:
    space = importlib.import_module(f"spaces.{name}").SPACE
    assert isinstance(space, Space)
    assert space.name == name
    assert Space.from_json(space.to_json()) == space


@pytest.mark.parametrize("name", NAMES)
def test_what_came_later_has_its_first_meaning_where_no_space_names_it(name: str) -> None:
    space = importlib.import_module(f"spaces.{name}").SPACE
    config = Trainable.load(space.trainable).Config
    later = {f.name: f.default for f in fields(config) if f.default is not MISSING}
    assert dict(space.added) == later


def test_softtriple_is_the_grid_of_section_3_2() -> None:
    assert {axis.name: axis.values for axis in SOFTTRIPLE.axes} == {
        "k": (10, 100, 1000, 2000),
        "gamma": (0.01, 0.03, 0.05, 0.07, 0.1),
        "scale": (1, 3, 3.3, 4, 6, 8, 10),
        "margin": (0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 1),
        "beta": (0.1, 0.3, 0.5, 0.7, 0.9),
    }
    assert len(SOFTTRIPLE) == len(list(SOFTTRIPLE.grid())) == 4900


def test_softtriple_trains_as_sections_3_2_and_4_say() -> None:
    fixed = SOFTTRIPLE.fixed
    assert (fixed["learning_rate"], fixed["warmup_fraction"]) == (1e-5, 0.06)
    assert (fixed["batch_size"], fixed["max_length"]) == (64, 512)


def test_the_papers_best_point_is_on_the_grid_and_the_baseline_is_not() -> None:
    best = SOFTTRIPLE.references["paper-best"]
    assert best == {"k": 2000, "gamma": 0.1, "scale": 3.3, "margin": 0.3, "beta": 0.9}
    assert SOFTTRIPLE.point(SOFTTRIPLE.index(best)) == best
    assert SOFTTRIPLE.baseline == "cross-entropy"
    assert not SOFTTRIPLE.admits(SOFTTRIPLE.references["cross-entropy"])


def test_the_papers_symbols_are_understood() -> None:
    gamma = "\N{GREEK SMALL LETTER GAMMA}"
    narrowed = SOFTTRIPLE.narrow({"lambda": "3.3", "δ": "0.3", gamma: "0.1", "beta": "0.9"})
    assert [axis.values for axis in narrowed.axes[1:]] == [(0.1,), (3.3,), (0.3,), (0.9,)]
    assert len(narrowed) == 4


@pytest.mark.parametrize("space", [SOFTTRIPLE, SMOKE], ids=lambda space: space.name)
def test_cross_entropy_alone_is_one_training_whatever_softtriple_is_set_to(space: Space) -> None:
    baseline = space.active(space.references["cross-entropy"])
    assert not {"k", "gamma", "scale", "margin", "merge_weight", "padding_tokens"} & set(baseline)
    turned = space.fix({"merge_weight": 0.2, "padding_tokens": True, "k": 7, "gamma": 0.4})
    assert turned.active(turned.references["cross-entropy"]) == baseline
    assert turned.shape_key({"beta": 1.0}) == space.shape_key({"beta": 1.0})


def test_cells_of_one_k_are_one_shape() -> None:
    shapes = {SOFTTRIPLE.shape_key(config) for config in SOFTTRIPLE.grid()}
    assert len(shapes) == 4


def test_smoke_is_small() -> None:
    assert len(SMOKE) == 8
    assert (SMOKE.fixed["epochs"], SMOKE.fixed["max_length"]) == (1, 32)
