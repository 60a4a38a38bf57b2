"""A plugin: a grid of 100,000 cells that sleep 10 ms each instead of training.

Everything around a cell is real: command, plan, strategy, Ray Tune, reports, spool, MLflow. In a
worker this file puts the sleep in the place of the training.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import CategoricalDistribution

from spaces import Axis, Space
from trainables.engine.cells import runner
from trainables.engine.config import TrainingConfig
from trainables.engine.contract import Cell, CellResult, Task

VERSION = 1
NAP_S = 0.01
_ROWS, _CLASSES, _EPOCHS = 40, 2, 3


@dataclass(frozen=True, kw_only=True)
class Config(TrainingConfig):
    one: int
    other: int
    learning_rate: float = 1e-2
    weight_decay: float = 0.0
    warmup_fraction: float = 0.0
    schedule: str = "linear"
    batch_size: int = 16
    max_length: int = 16
    epochs: int = 3
    clip_norm: float = 0.0
    precision: str = "fp32"


def build(config: Config, encoder: Any, num_classes: int) -> None:
    raise NotImplementedError("these cells are not trained")


def _nap(
    task: Task, cells: Sequence[Cell], report: Callable[[CellResult], None], **_: Any
) -> int | None:
    for cell in cells:
        time.sleep(NAP_S)
        draw = np.random.default_rng(int(cell.key[:12], 16))
        accuracy = float(draw.normal(0.8, 0.02))
        epochs = tuple(
            {"epoch": e + 1.0, "train_loss": 1.0 / (e + 1), "accuracy": accuracy, "seconds": 0.003}
            for e in range(_EPOCHS)
        )
        result = CellResult(
            key=cell.key,
            status="done",
            metrics={"accuracy": accuracy, "loss": 0.5, "seconds": NAP_S, "peak_memory_mib": 1.0},
            epochs=epochs,
            rows=np.arange(_ROWS),
            probabilities=draw.random((_ROWS, _CLASSES), dtype=np.float32),
        )
        report(result)
    return None


runner.train_cells = _nap

SPACE = Space(
    name="fake_cells",
    trainable="fake_cells",
    source="tests/benchmarks/bench_scale.py",
    axes=(
        Axis(name="one", distribution=CategoricalDistribution(list(range(100)))),
        Axis(name="other", distribution=CategoricalDistribution(list(range(50)))),
    ),
    fixed={},
    references={},
    baseline=None,
    shape=(),
)
