"""State of one run of the steps: sizes, task, lines so far, clocks."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from throughput import cells_of

from trainables.engine.contract import Cell
from trainables.engine.stacking.fit_stack import let_go

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
CUDA = DEVICE.type == "cuda"


@dataclass
class Sizes:
    """Sizes of one run.

    Attributes:
        stacks: Numbers of cells to train as one model.
        epochs: Epochs of a cell.
        warm: Cells of the Trainer in one process, after a first that is not counted.
        heads: Linear heads on features, and those of them that a loop trains.
        tokens: Tokens of the losses that are compared.
        k: Proxies a class of the same.
        matrix: Width of the matrices that measure the card.
        adapters: Numbers of LoRA cells to train as one model.
        large: The same, on an encoder of RoBERTa-large's size.
        long_tokens: Length of long texts.
        long_stacks: Numbers of cells to train on them as one model.
        attention: Rows and tokens of the attention that is timed by itself.
        steps: Steps of an epoch that is timed; None for all.
    """

    stacks: tuple[int, ...] = (16, 24)
    epochs: int = 5
    warm: int = 2
    heads: tuple[int, int] = (1000, 10)
    tokens: int = 32768
    k: int = 2000
    matrix: int = 8192
    adapters: tuple[int, ...] = (32, 64)
    large: int = 32
    long_tokens: int = 512
    long_stacks: tuple[int, ...] = (1, 2)
    attention: tuple[tuple[int, int], ...] = ((1024, 16), (64, 512))
    steps: int | None = None


TINY = Sizes((2, 4), 1, 1, (40, 4), 256, 20, 256, (4,), 2, 48, (2,), ((8, 16),), 3)


@dataclass
class Bench:
    """The task, and the lines so far."""

    folder: Path
    sizes: Sizes
    out: Path
    until: float
    task: Any = None
    config: dict[str, Any] = field(default_factory=dict)
    found: dict[str, Any] = field(default_factory=dict)

    def cells(self, count: int, **change: Any) -> list[Cell]:
        """So many cells; with a change, of other configs."""
        return cells_of(self.task, {**self.config, **change}, count)

    def step(self, name: str, way: Callable[[Bench], dict[str, Any]], budget: float) -> None:
        """Run one step, if there is time, and keep its line.

        Args:
            name: Name of the step.
            way: What it does.
            budget: Seconds that it may take on a GPU; with less time left it is skipped.
        """
        left = self.until - time.monotonic()
        if left < (budget if CUDA else 0):
            line: dict[str, Any] = {"skipped": f"{left:.0f} s left, {budget:.0f} wanted"}
        else:
            began = time.monotonic()
            try:
                line = way(self)
            except Exception:
                line = {"error": traceback.format_exc()[-1500:]}
            line["step_s"] = round(time.monotonic() - began, 1)
            let_go()
            if CUDA:
                torch.cuda.empty_cache()
        self.found[name] = line
        text = json.dumps({"step": name, **line}, default=str)
        print(text, flush=True)
        with self.out.open("a") as file:
            file.write(text + "\n")


def synced() -> float:
    """The clock, once the device has done all it was given."""
    if CUDA:
        torch.cuda.synchronize()
    return time.perf_counter()


def median_seconds(run: Callable[[], object], times: int = 10) -> float:
    """Median time of a call, after two that are not counted."""
    took = []
    for number in range(times + 2):
        began = synced()
        run()
        if number > 1:
            took.append(synced() - began)
    return sorted(took)[len(took) // 2]
