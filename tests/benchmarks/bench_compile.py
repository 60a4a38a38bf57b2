"""What `--compile` does to a stack: the same numbers, the time of a step, the wait before it."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from bert_stack import training

CELLS = 8


@pytest.mark.filterwarnings("default")  # torch compiles with its own deprecated parts
def test_a_compiled_stack(record: Callable[..., None]) -> None:
    torch.set_num_threads(2)
    made = partial(training, cells=CELLS, rows=480, words=2_000, width=128, layers=2, batch_size=16)
    plain, compiled = made(compiled=False), made(compiled=True)
    began = time.perf_counter()
    first = compiled.epoch(0)
    wait = time.perf_counter() - began
    np.testing.assert_allclose(first, plain.epoch(0), rtol=1e-4)
    times: dict[str, list[float]] = {"plain": [], "compiled": []}
    for number in range(3):
        for name, stack in (("plain", plain), ("compiled", compiled)):
            began = time.perf_counter()
            stack.epoch(1 + number)
            times[name].append(time.perf_counter() - began)
    plain_s, compiled_s = (float(np.median(times[name])) for name in ("plain", "compiled"))
    record(
        "--compile",
        f"an epoch of {CELLS} small encoders in a stack, plain over compiled, after {wait:.0f} s "
        "of compiling",
        plain_s / compiled_s,
        plain_s=plain_s,
        compiled_s=compiled_s,
        compiling_s=wait,
    )
