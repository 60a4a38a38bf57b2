"""`--compile`: what torch.compile is given can be traced, and gives the same numbers.

Its graphs are run as they are: to make a machine's code of them takes minutes, and is torch's own.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from bert_stack import training
from torch import nn

from trainables.engine.stacking.module import StackedModule


@pytest.mark.filterwarnings("default")  # torch compiles with its own deprecated parts
def test_a_compiled_stack_gives_the_losses_of_a_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def traced(self: nn.Module, **how: bool) -> None:
        calls.append(how)
        nn.Module.compile(self, backend="eager", **how)

    monkeypatch.setattr(StackedModule, "compile", traced)
    made = partial(training, cells=2, rows=24, words=40, width=16, layers=1, batch_size=8)
    plain, compiled = made(compiled=False), made(compiled=True)
    assert calls == [{"dynamic": True}]
    np.testing.assert_allclose(compiled.epoch(0), plain.epoch(0), rtol=1e-4)
    for mine, other in zip(compiled.predict(), plain.predict(), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-5)
    torch._dynamo.reset()
