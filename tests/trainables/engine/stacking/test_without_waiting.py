"""What a stack does on a GPU between two looks of the host: no step asks for a value."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tests.trainables.engine.stacking import test_stack_encoders as encoders
from tests.trainables.gpu_way import NoWaiting, on_a_gpu
from trainables.engine.inputs.stack_inputs import TokenInputs
from trainables.engine.models import adapters
from trainables.engine.stacking.cell import StackCell
from trainables.engine.stacking.trainer import StackTraining

pytest.importorskip("peft")
__all__ = ["on_a_gpu"]
CONFIG = replace(encoders.CONFIG, epochs=2)
KINDS = {
    "all": CONFIG,
    "clipped": replace(CONFIG, clip_norm=0.05),
    "layer decay": replace(CONFIG, layer_decay=0.8),
    "padding fed": replace(CONFIG, padding_tokens=True),
    "adapters": replace(CONFIG, lora_rank=2, lora_alpha=2.0, lora_dropout=0.1),
}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def cells(kind: str) -> list[StackCell]:
    """Cells whose last batches have 1 and 8 rows."""
    config = KINDS[kind]
    base = adapters.frozen(encoders.pretrained("bert", dropout=0.2), config)
    return [
        encoders.cell(base, config, 2, range(9)),
        encoders.cell(base, replace(config, gamma=0.01, learning_rate=3e-3), 16, range(9)),
        encoders.cell(base, replace(config, margin=1.0, weight_decay=0.0), 7, range(40, 50)),
    ]


def trained(kind: str) -> tuple[list[float], list[Any]]:
    data = encoders.tokens()
    training = StackTraining(cells(kind), TokenInputs(data), data.labels)
    training.steps_early = False  # as on a GPU
    losses = [value for epoch in range(2) for value in training.epoch(epoch).tolist()]
    return losses, training.predict()


@pytest.mark.parametrize("apart", [True, False], ids=["cells stepped apart", "stepped together"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_step_waits_and_the_numbers_are_those_of_a_host(
    kind: str, apart: bool, on_a_gpu: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainables.engine.stacking.optimizer.LEAST_APART", 1 if apart else 2**40)
    losses, probabilities = trained(kind)
    assert set(on_a_gpu) == {"train", "score"}
    monkeypatch.undo()
    monkeypatch.setattr("trainables.engine.stacking.optimizer.LEAST_APART", 1 if apart else 2**40)
    expected, host = trained(kind)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    for one, other in zip(probabilities, host, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_step_that_waits_is_seen() -> None:
    for wait in (
        lambda values: int(values.sum()),
        lambda values: values[values > 0],
        lambda values: values.nonzero(),
    ):
        with pytest.raises(AssertionError), NoWaiting():
            wait(torch.ones(3))
