"""What a stack does on a GPU between two looks of the host: no step asks for a value.

The tensors of a host say here that they are a GPU's, so that steps take the way that they take
there, in a host's arithmetic. A step that asks for a value (`int(tensor)`, `nonzero`, an index of
bools) makes a GPU wait, and cannot be recorded. Kernels of CUDA alone are untried here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from tests.trainables.engine.stacking import test_stack_encoders as encoders
from trainables.engine.inputs.stack_inputs import TokenInputs
from trainables.engine.models import adapters
from trainables.engine.stacking.cell import StackCell
from trainables.engine.stacking.optimizer import StackedAdamW
from trainables.engine.stacking.recorded import RecordedSteps
from trainables.engine.stacking.trainer import StackTraining

pytest.importorskip("peft")
CONFIG = replace(encoders.CONFIG, epochs=2)
KINDS = {
    "all": CONFIG,
    "clipped": replace(CONFIG, clip_norm=0.05),
    "padding fed": replace(CONFIG, padding_tokens=True),
    "adapters": replace(CONFIG, lora_rank=2, lora_alpha=2.0, lora_dropout=0.1),
}
_WAITS = {"_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "equal", "_unique2"}


class NoWaiting(TorchDispatchMode):
    """Refuses operations that bring a value of the device to the host."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name in _WAITS:
            raise AssertionError(f"a step waits for the device: {name}")
        if name.startswith("index"):
            indices = args[1] if isinstance(args[1], list | tuple) else ()
            assert not any(at is not None and at.dtype == torch.bool for at in indices), name
        return func(*args, **(kwargs or {}))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the steps that were taken while tensors claimed to be a GPU's."""
    taken: list[str] = []

    def run(self: RecordedSteps, kind: str, detail: Any, inputs: Any, step: Any) -> Any:
        taken.append(kind)
        with pytest.MonkeyPatch.context() as patch, NoWaiting():
            patch.setattr(Tensor, "is_cuda", property(lambda _: True))
            patch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
            # torch's own looks at the labels, but on a GPU.
            patch.setattr(functional, "one_hot", _one_hot)
            return step(inputs)

    def unseen(self: StackedAdamW, parameter: Tensor) -> Any:
        with _disable_current_modes():  # of vectors on the host
            return parts(self, parameter)

    def listed(self: StackedAdamW, *given: Any) -> Any:
        decays = self.weight_decays
        self.weight_decays = _OnHost(decays)  # type: ignore[assignment]
        try:
            return apart(self, *given)
        finally:
            self.weight_decays = decays

    parts, apart = StackedAdamW._parts, StackedAdamW._step_apart
    monkeypatch.setattr(RecordedSteps, "run", run)
    monkeypatch.setattr(StackedAdamW, "_parts", unseen)
    monkeypatch.setattr(StackedAdamW, "_step_apart", listed)
    return taken


def _one_hot(labels: Tensor, classes: int) -> Tensor:
    return (labels.unsqueeze(-1) == torch.arange(classes)).long()


class _OnHost:
    """A vector of the host, which may be read without waiting."""

    def __init__(self, values: Tensor) -> None:
        self._values = values.numpy().copy()

    def tolist(self) -> Any:
        return self._values.tolist()


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
