"""A parameter that does nothing is named, and equal accuracy alone names nobody."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from search.results.inert import InertWatch
from trainables.engine.contract import CellResult
from trainables.engine.keys import result_digest

CONFIGS: list[dict[str, Any]] = [
    {"k": 2, "scale": 3.3, "beta": 0.5},
    {"k": 10, "scale": 3.3, "beta": 0.5},
    {"k": 10, "scale": 9.0, "beta": 0.5},
    {"beta": 1.0},
    {"k": 50, "scale": 3.3, "beta": 0.5},
]
RESULT = CellResult(
    key="a",
    status="done",
    metrics={"accuracy": 0.5, "seconds": 2.0, "peak_memory_mib": 100.0},
    epochs=({"train_loss": 1.0, "seconds": 1.0},),
    rows=np.arange(2),
    probabilities=np.array([[0.5, 0.5], [0.25, 0.75]], np.float32),
)


def watch() -> InertWatch:
    return InertWatch(lambda index: CONFIGS[index], (len(CONFIGS), 6))


def test_what_the_machine_decides_changes_no_digest() -> None:
    metrics = {"accuracy": 0.5, "seconds": 9.0, "peak_memory_mib": 7.0}
    epochs = ({"train_loss": 1.0, "seconds": 5.0},)
    assert result_digest(replace(RESULT, key="b", metrics=metrics, epochs=epochs)) == result_digest(
        RESULT
    )
    assert result_digest(CellResult.from_json(RESULT.to_json())) == result_digest(RESULT)


@pytest.mark.parametrize(
    "change",
    [
        {"probabilities": np.array([[0.5, 0.5], [0.25, np.float32(0.75000006)]], np.float32)},
        {"rows": np.array([0, 2])},
        {"metrics": {"accuracy": 0.51}},
        {"epochs": ({"train_loss": 1.5, "seconds": 1.0},)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_the_training_decides_changes_it(change: dict[str, Any]) -> None:
    assert result_digest(replace(RESULT, **change)) != result_digest(RESULT)


@pytest.mark.parametrize("status", ["failed", "diverged"])
def test_a_cell_that_failed_proves_nothing(status: Any) -> None:
    assert result_digest(replace(RESULT, status=status)) is None


def test_two_configs_that_differ_in_one_parameter_name_it_once() -> None:
    found = watch()
    assert not found.see((0, 3), "d")
    (suspect,) = found.see((1, 3), "d")
    assert (suspect.parameter, suspect.values, suspect.block) == ("k", (2, 10), 3)
    assert not found.see((4, 2), "e")
    assert not found.see((1, 2), "e"), "k has been named"
    (other,) = found.see((2, 3), "d")
    assert (other.parameter, other.values) == ("scale", (3.3, 9.0))
    assert [s.parameter for s in found.suspects] == ["k", "scale"]


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ([((0, 3), "d"), ((1, 4), "d")], "another block"),
        ([((0, 3), "d"), ((1, 3), "e")], "other probabilities"),
        ([((0, 3), "d"), ((2, 3), "d")], "two parameters differ"),
        ([((0, 3), "d"), ((3, 3), "d")], "beta = 1 drops k and scale, too"),
        ([((0, 3), "d"), ((0, 3), "d")], "the same config"),
        ([((0, 3), None), ((1, 3), None)], "no digest"),
    ],
)
def test_nothing_else_is_an_alarm(cells: list[Any], why: str) -> None:
    found = watch()
    assert [found.see(*cell) for cell in cells] == [[], []], why


def test_the_order_in_which_cells_come_in_changes_no_suspect() -> None:
    cells = [((config, block), "d") for config in (0, 1, 2, 4) for block in (1, 3)]
    draw = np.random.default_rng(0)
    suspects = []
    for _ in range(20):
        found = watch()
        told = [s.parameter for i in draw.permutation(len(cells)) for s in found.see(*cells[i])]
        assert sorted(told) == ["k", "scale"]
        suspects.append(found.suspects)
    assert all(one == suspects[0] for one in suspects)
    assert suspects[0][0].configs == (0, 1)
    assert suspects[0][0].block == 1


def test_the_advice_names_parameter_values_cell_and_way_out() -> None:
    found = watch()
    found.see((0, 1), "d")
    (suspect,) = found.see((1, 1), "d")
    text = suspect.to_json(((2, 0), (16, 4)), "spaces/mine.py")["meaning"]
    for part in ("k=2 and k=10", "(seed 16, fold 4)", "Inert in spaces/mine.py"):
        assert part in text


@pytest.mark.parametrize(
    ("alike", "said"),
    [
        ({"k": "classes are level"}, "as they do where classes are level. Elsewhere k never"),
        ({}, "k never reached the training, or is inert there"),
    ],
    ids=["known data", "no known reason"],
)
def test_equal_results_that_the_data_explain_are_no_fault(alike: dict[str, str], said: str) -> None:
    seen = watch()
    seen.see((0, 0), "same")
    (suspect,) = seen.see((1, 0), "same")
    assert said in suspect.to_json(((2, 0),), "spaces/x.py", alike)["meaning"]


def test_a_length_that_no_text_reaches_is_no_fault_in_any_space() -> None:
    seen = InertWatch(lambda index: {"max_length": (64, 128)[index]}, (2, 6))
    seen.see((0, 0), "same")
    (suspect,) = seen.see((1, 0), "same")
    assert "no text is longer" in suspect.to_json(((2, 0),), "spaces/x.py")["meaning"]


def test_cells_that_are_noted_and_compared_later_give_the_same_suspects() -> None:
    cells = [((config, block), "d") for config in (0, 1, 2, 4) for block in (1, 3)]
    cells += [((3, 1), "e"), ((2, 2), None), ((0, 5), "f"), ((4, 5), "f")]
    one_by_one, at_once = watch(), watch()
    for cell in cells:
        one_by_one.see(*cell)
        at_once.note(*cell)
    assert not at_once.suspects
    at_once.look()
    assert at_once.suspects == one_by_one.suspects
    assert not at_once.see((1, 5), "f"), "k is named already"
