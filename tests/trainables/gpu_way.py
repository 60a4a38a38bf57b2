"""A GPU's way through a stack's steps, taken on a host.

The tensors of a host say here that they are a GPU's, so that steps take the way that they take
there, in a host's arithmetic. A step that asks for a value (`int(tensor)`, `nonzero`, an index of
bools) makes a GPU wait, and cannot be recorded. Kernels of CUDA alone are untried here.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from trainables.engine.stacking.optimizer import StackedAdamW
from trainables.engine.stacking.recorded import RecordedSteps
from trainables.engine.stacking.trainer import StackTraining

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

    def begun(self: StackTraining, *given: Any, **named: Any) -> None:
        begin(self, *given, **named)
        self.steps_early = False

    begin = StackTraining.__init__
    parts, apart = StackedAdamW._parts, StackedAdamW._step_apart
    monkeypatch.setattr(RecordedSteps, "run", run)
    monkeypatch.setattr(StackTraining, "__init__", begun)
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
