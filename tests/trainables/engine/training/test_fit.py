"""One fit: whether it scores each epoch, the best one or none, it trains the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.factories import config
from tests.trainables.tasks import task_of_reviews
from trainables.engine.cells import assembly
from trainables.engine.cells.trainable import Trainable
from trainables.engine.contract import Task
from trainables.engine.datasets.load import load_data
from trainables.engine.splits.inner_validation import NO_ROWS
from trainables.engine.training.accelerator import fresh_accelerator
from trainables.engine.training.fit import Fit, fit
from trainables.engine.training.loop import CellData, Training

EPOCHS = 3


@pytest.fixture
def task(reviews: Path, tiny_encoder: Path) -> Task:
    torch.set_num_threads(1)
    return task_of_reviews("encoder_linear", tiny_encoder, reviews)


def training(task: Task, held_out: bool = True, valid: bool = False) -> Training:
    """Equal trainings of one cell; 10 rows are held out, 10 choose the epoch."""
    data = load_data(task.data)
    bound = Trainable.load("encoder_linear").bind(
        config("encoder_linear", epochs=EPOCHS, learning_rate=3e-2)
    )
    rows = np.arange(len(data))
    parts = (rows[:10] if held_out else NO_ROWS, rows[10:20] if valid else NO_ROWS)
    cell = CellData(assembly.tokens(task, data, bound), rows[20:], *parts)
    return Training(assembly.module(task, data, bound, seed=2), cell, bound, seed=2)


def weights(result: Fit) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in result.module.parameters()])


def test_without_a_score_nothing_is_predicted_and_the_weights_are_the_same(
    task: Task,
) -> None:
    scored = fit(training(task), lambda rows, _: {"rows": float(len(rows))})
    plain = fit(training(task, held_out=False))
    assert plain.probabilities.size == 0
    assert [epoch["rows"] for epoch in scored.epochs] == [10.0] * EPOCHS
    assert [set(epoch) for epoch in plain.epochs] == [{"epoch", "train_loss", "seconds"}] * EPOCHS
    torch.testing.assert_close(weights(plain), weights(scored), rtol=0, atol=0)


@pytest.mark.parametrize("valid", [False, True])
def test_the_epoch_that_counts_is_predicted_as_if_all_were(
    task: Task, valid: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    predicted: list[int] = []
    plain = Training.predict

    def counted(self: Training) -> tuple[np.ndarray, np.ndarray]:
        rows, probabilities = plain(self)
        predicted.append(len(rows))
        return rows, probabilities

    scored = fit(training(task, valid=valid), lambda *_: {})
    monkeypatch.setattr(Training, "predict", counted)
    best = fit(training(task, valid=valid), evaluate=True)
    # Rows that choose the epoch shared batches with the others: sums are rounded in another order.
    np.testing.assert_allclose(best.probabilities, scored.probabilities, rtol=1e-5)
    assert best.facts == scored.facts
    assert predicted == ([10] * (EPOCHS + 1) if valid else [10])


def test_a_precision_does_not_outlive_its_training() -> None:
    for precision, accelerates in (("bf16", "bf16"), ("fp32", "no"), ("bf16", "bf16")):
        assert fresh_accelerator(precision).mixed_precision == accelerates
