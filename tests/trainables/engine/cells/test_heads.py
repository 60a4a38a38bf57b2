"""Cells of heads go through the runner as any others do: reported, scored, failed apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from spaces.linear_grid import SPACE as LINEAR
from spaces.projection import SPACE as PROJECTION
from tests.trainables.tasks import task_of_reviews
from trainables.engine.cells import runner
from trainables.engine.cells.trainable import Trainable
from trainables.engine.config import TrainingConfig
from trainables.engine.contract import Cell, CellResult, Task
from trainables.engine.datasets.load import load_data
from trainables.engine.features import extraction
from trainables.engine.features.extraction import Representation
from trainables.engine.splits import folds
from trainables.engine.training import scoring


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDRACE_CACHE", str(tmp_path / "cache"))
    torch.set_num_threads(1)


@pytest.fixture
def task(reviews: Path, tiny_encoder: Path) -> Task:
    return task_of_reviews("projection", tiny_encoder, reviews)


def cell(key: str, seed: int = 2, fold: int = 0, **change: Any) -> Cell:
    start = PROJECTION.complete({"k": 10, "gamma": 0.1, "scale": 3.3, "margin": 0.3, "beta": 0.5})
    return Cell(key=key, config={**start, "max_length": 16, **change}, seed=seed, fold=fold)


def train(task: Task, *cells: Cell, **how: Any) -> dict[str, CellResult]:
    results: list[CellResult] = []
    runner.train_cells(task, cells, results.append, threads=1, **how)
    return {result.key: result for result in results}


def test_a_cells_result_does_not_depend_on_its_stack(task: Task) -> None:
    cells = [cell("a"), cell("b", beta=0.9, epochs=2), cell("c", seed=16, fold=2), cell("d", k=10)]
    together = train(task, *cells)
    assert list(together) == ["b", "a", "c", "d"]  # the shortest is through first
    for one in cells:
        alone = train(task, one)[one.key]
        np.testing.assert_array_equal(together[one.key].rows, alone.rows)
        np.testing.assert_allclose(together[one.key].probabilities, alone.probabilities, atol=2e-5)
        assert len(together[one.key].epochs) == one.config["epochs"]
        assert together[one.key].metrics["accuracy"] == alone.metrics["accuracy"]


def test_a_cell_is_scored_after_its_last_epoch_whenever_that_of_others_is(task: Task) -> None:
    cells = [cell("a"), cell("b", beta=0.9, epochs=2)]
    each, last = train(task, *cells), train(task, *cells, each_epoch=False)
    for key, result in last.items():
        np.testing.assert_array_equal(result.probabilities, each[key].probabilities)
        *before, end = result.epochs
        assert not any("accuracy" in epoch for epoch in before)
        assert end["accuracy"] == each[key].epochs[-1]["accuracy"]


def test_metrics_are_those_of_the_held_out_rows(task: Task) -> None:
    data = load_data(task.data)
    result = train(task, cell("a", fold=1))["a"]
    _, held_out = folds.held_out(data, task.split, 2, 1)
    np.testing.assert_array_equal(result.rows, held_out)
    expected = scoring.score(data.labels[held_out], result.probabilities, data.label_names)
    assert {name: result.metrics[name] for name in expected} == expected
    last = result.epochs[-1]
    for name in ("loss", "accuracy", "macro_f1"):
        assert last[name] == pytest.approx(expected[name], abs=1e-6)


def test_a_diverging_cell_is_reported_and_its_neighbour_goes_on(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TrainingConfig, "LARGEST", 10**31)  # wild enough for the first epoch
    results = train(task, cell("wild", learning_rate=1e30), cell("calm"))
    assert results["wild"].status == "diverged"
    assert "epoch 1" in str(results["wild"].error)
    assert results["calm"].status == "done"


def test_other_features_share_no_stack_but_a_trial(task: Task) -> None:
    results = train(task, cell("a"), cell("b", representation="encoder-first"), cell("c"))
    assert {key: result.status for key, result in results.items()} == dict.fromkeys("abc", "done")
    assert not np.array_equal(results["a"].probabilities, results["b"].probabilities)
    np.testing.assert_array_equal(results["a"].probabilities, results["c"].probabilities)


def test_an_error_fails_the_cells_that_were_not_through(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no memory left")

    monkeypatch.setattr(extraction, "tables", broken)
    result = train(task, cell("a"))["a"]
    assert (result.status, result.error) == ("failed", "RuntimeError: no memory left")


def test_a_cell_is_measured_without_training_it(task: Task) -> None:
    timing = runner.measure(task, cell("a", epochs=5))
    assert timing.steps_per_cell == 5 * 2  # 80 rows, 64 a batch
    assert 0 < timing.seconds_per_step < timing.seconds_per_cell


def test_linear_evaluation_comes_to_logistic_regression(task: Task) -> None:
    # Trained long without decay, a linear layer is unregularised logistic regression, which
    # scikit-learn solves by other means: same loss on the training rows, same predictions.
    task = replace(task, trainable="linear_eval")
    data = load_data(task.data)
    config = LINEAR.complete(LINEAR.references["paper"])
    change = {"max_length": 16, "learning_rate": 0.05, "weight_decay": 0.0, "epochs": 300}
    one = Cell(key="a", config={**config, **change}, seed=2, fold=0)
    result = train(task, one)["a"]
    given = extraction.load(data, task.model, Representation(name="encoder-mean", max_length=16))
    rows, held_out = folds.held_out(data, task.split, 2, 0)
    peer = LogisticRegression(C=np.inf, max_iter=5000).fit(given[rows], data.labels[rows])
    expected = peer.predict_proba(given[held_out].numpy())
    assert (result.probabilities.argmax(1) == expected.argmax(1)).mean() > 0.95
    assert result.metrics["accuracy"] == pytest.approx(
        peer.score(given[held_out], data.labels[held_out]), abs=0.051
    )


def test_which_trainables_train_heads() -> None:
    assert Trainable.load("projection").may_train_heads
    assert not Trainable.load("triple_entropy").may_train_heads
