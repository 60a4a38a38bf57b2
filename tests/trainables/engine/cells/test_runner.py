"""A stack of cells: reported one by one, each the same whatever was trained before it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.factories import config
from tests.trainables.tasks import task_of_reviews
from trainables.engine.cells import runner
from trainables.engine.contract import Cell, CellResult, Task
from trainables.engine.datasets.load import load_data
from trainables.engine.errors import TaskChangedError
from trainables.engine.models import pretrained
from trainables.engine.training.fit import Fit

CONFIG = config("triple_entropy", beta=0.9, epochs=3, clip_norm=1.0)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def task(reviews: Path, tiny_encoder: Path) -> Task:
    return task_of_reviews("triple_entropy", tiny_encoder, reviews)


def _cell(key: str = "a", seed: int = 2, fold: int = 0, **change: Any) -> Cell:
    return Cell(key=key, config={**CONFIG, **change}, seed=seed, fold=fold)


def _train(task: Task, *cells: Cell, **how: Any) -> list[CellResult]:
    results: list[CellResult] = []
    runner.train_cells(task, cells, results.append, **how)
    return results


def test_a_cell_learns_and_reports_all_that_is_promised(task: Task) -> None:
    (result,) = _train(task, _cell())
    assert (result.status, result.error) == ("done", None)
    promised = {"accuracy", "macro_f1", "weighted_f1", "matthews", "loss", "f1_praise", "f1_blame"}
    assert promised | {"seconds", "peak_memory_mib", "parameters"} <= set(result.metrics)
    encoder = pretrained.load_encoder(task.model)
    whole = sum(weight.numel() for weight in encoder.parameters())
    # The encoder, a linear layer to two classes, and the loss's proxies.
    assert result.metrics["parameters"] > whole + 2 * encoder.config.hidden_size + 2
    assert result.metrics["accuracy"] > 0.8, "one word of the text gives the class"
    assert len(result.rows) == 40
    np.testing.assert_allclose(result.probabilities.sum(axis=1), 1, atol=1e-5)
    assert [epoch["epoch"] for epoch in result.epochs] == [1, 2, 3]
    assert result.epochs[-1]["train_loss"] < result.epochs[0]["train_loss"]
    labels = load_data(task.data).labels[result.rows]
    accuracy = (result.probabilities.argmax(axis=1) == labels).mean()
    assert result.metrics["accuracy"] == pytest.approx(accuracy)


@pytest.mark.parametrize("stack", [1, 2])
def test_scored_after_the_last_epoch_alone_a_cell_is_the_same(task: Task, stack: int) -> None:
    cells = [_cell("a"), _cell("b", learning_rate=1e-3)]
    each = _train(task, *cells, stack=stack)
    last = _train(task, *cells, stack=stack, each_epoch=False)
    for mine, other in zip(last, each, strict=True):
        np.testing.assert_array_equal(mine.probabilities, other.probabilities)
        assert mine.metrics["loss"] == other.metrics["loss"]
        assert [epoch["train_loss"] for epoch in mine.epochs] == [
            epoch["train_loss"] for epoch in other.epochs
        ]
        assert ["accuracy" in epoch for epoch in mine.epochs] == [False, False, True]
        assert mine.epochs[-1]["accuracy"] == other.epochs[-1]["accuracy"]


def test_cells_that_choose_their_epoch_are_scored_after_each(task: Task) -> None:
    (cell,) = _train(task, _cell(inner_share=0.2), each_epoch=False)
    assert all("inner_class_accuracy" in epoch for epoch in cell.epochs)
    assert cell.metrics["chosen_epoch"] in (1, 2, 3)


def test_the_folds_of_a_seed_hold_out_every_row_once(task: Task) -> None:
    results = _train(task, *(_cell(str(fold), fold=fold, epochs=1) for fold in range(3)))
    rows = np.concatenate([result.rows for result in results])
    assert sorted(rows.tolist()) == list(range(120))


def test_a_cell_is_the_same_alone_and_after_others(task: Task) -> None:
    (alone,) = _train(task, _cell(epochs=1))
    others = [_cell("x", seed=16, epochs=1, k=5), _cell("y", learning_rate=1e9, epochs=1)]
    torch.rand(17)  # what happened to torch's generator before must not matter
    # In a stack dropout would draw otherwise; test_stack_encoders.py looks at stacks.
    after = _train(task, *others, _cell(epochs=1), stack=1)[-1]
    np.testing.assert_array_equal(after.probabilities, alone.probabilities)


def test_another_seed_is_another_result(task: Task) -> None:
    first, second = _train(task, _cell(epochs=1), _cell("b", seed=16, epochs=1))
    assert not np.array_equal(first.rows, second.rows)


def test_a_diverged_and_a_failed_cell_take_no_neighbour_along(task: Task) -> None:
    cells = [_cell("a", learning_rate=1e9), _cell("b", beta=7.0), _cell("c", epochs=1)]
    results = {result.key: result for result in _train(task, *cells)}
    diverged, failed, done = (results[cell.key] for cell in cells)
    assert diverged.status == "diverged"
    assert "not finite" in (diverged.error or "") or "became" in (diverged.error or "")
    assert failed.status == "failed"
    assert "beta in [0, 1], got 7.0" in (failed.error or "")
    assert done.status == "done"


def test_results_survive_the_journey_through_json(task: Task) -> None:
    (result,) = _train(task, _cell(epochs=1))
    again = CellResult.from_json(result.to_json())
    np.testing.assert_array_equal(again.rows, result.rows)
    np.testing.assert_array_equal(again.probabilities, result.probabilities)
    assert (again.metrics, again.epochs) == (result.metrics, result.epochs)


@pytest.mark.parametrize("what", ["data_fingerprint", "model_fingerprint"])
def test_what_changed_since_the_plan_is_refused_with_both_fingerprints(
    task: Task, what: str
) -> None:
    planned = getattr(task, what)
    with pytest.raises(TaskChangedError, match=f"0000.*{planned[:16]}"):
        _train(replace(task, **{what: "0" * 64}), _cell())


def test_an_interruption_is_no_failed_cell(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> Fit:
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _train(task, _cell())


def test_a_measurement_counts_a_cells_steps(task: Task) -> None:
    timing = runner.measure(task, _cell(), steps=2)
    assert timing.steps_per_cell == 3 * 5  # 80 training rows in batches of 16, three epochs
    assert 0 < timing.seconds_per_step < timing.seconds_per_cell
