"""Mixed precision in a stack: each weight is rounded once a step, and stepped in one pass."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from tests.trainables.engine.stacking import test_stack_encoders as encoders
from trainables.engine.inputs.stack_inputs import TokenInputs
from trainables.engine.stacking.trainer import StackTraining


class Traffic(TorchDispatchMode):
    """Counts how often each weight is rounded, and how often AdamW is given it."""

    def __init__(self, training: StackTraining) -> None:
        super().__init__()
        self.of = {p.untyped_storage().data_ptr(): p for p in training.stack.stacked}
        self.rounded: Counter[int] = Counter()
        self.stepped: Counter[int] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name == "_to_copy" and (kwargs or {}).get("dtype") == torch.bfloat16:
            self.rounded[args[0].untyped_storage().data_ptr()] += 1
        if name == "_fused_adamw_":
            weights, gradients = args[:2]
            for weight, gradient in zip(weights, gradients, strict=True):
                place = weight.untyped_storage().data_ptr()
                self.stepped[place] += weight.numel()
                assert gradient.dtype == weight.dtype, "the kernel knows no other"
        return func(*args, **(kwargs or {}))


def test_a_step_rounds_each_weight_once_and_steps_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr("trainables.engine.stacking.optimizer.LEAST_APART", 1)
    config = replace(encoders.CONFIG, precision="bf16")
    base, data = encoders.pretrained("bert", dropout=0.2), encoders.tokens()
    cells = [encoders.cell(base, config, seed, range(9)) for seed in (2, 16)]
    training = StackTraining(cells, TokenInputs(data), data.labels)
    training.epoch(0, most_steps=1)  # begins AdamW's moments
    with Traffic(training) as seen:
        training.epoch(0, most_steps=1)
    layers = {name for name, part in cells[0].module.named_modules() if type(part) is nn.Linear}
    for name, parameter in zip(training.stack.names, training.stack.stacked, strict=True):
        place = parameter.untyped_storage().data_ptr()
        of_layer = name.rpartition(".")[0] in layers
        assert seen.rounded[place] == int(of_layer), name
        assert seen.stepped[place] == parameter.numel(), name
    with Traffic(training) as seen:
        training.predict()
    matrices = [p for p in seen.of.values() if seen.rounded[p.untyped_storage().data_ptr()]]
    assert len(matrices) == 2 * len(layers), "weights and biases, by each batch that is scored"
    assert not seen.stepped
