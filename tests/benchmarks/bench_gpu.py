"""Cells an hour on a GPU: RoBERTa-base-size encoders on TREC-1k, in bf16.

One process and stack 1; several processes that share the GPU; stacks of 8, 32 and auto. Skipped
without CUDA. The share of the chip's matrix rate counts the multiplications of real tokens only:
6 per weight of the blocks and token of training, 2 per token of scoring.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from throughput import TREC, cells_of, need_trec, random_encoder, softtriple, task_of

from trainables.engine.cells import assembly, runner
from trainables.engine.contract import Cell, CellResult, Task
from trainables.engine.datasets.load import load_data
from trainables.engine.inputs.tokens import tokenised
from trainables.engine.models import frozen_blocks, pretrained

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU: torch has no CUDA")
EPOCHS, PROCESSES = 2, 4
# Dense bf16, in TFLOP/s, as the makers state; FOLDRACE_BENCH_TFLOPS for another chip.
RATES = {"H200": 989.0, "H100": 989.0, "A100": 312.0, "L40S": 362.0, "L4": 121.0}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RoBERTa-base's shape, random weights."""
    from transformers import RobertaConfig

    with pytest.MonkeyPatch.context() as patch:
        need_trec(patch)
        config = RobertaConfig(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1)
        return random_encoder(tmp_path_factory.mktemp("base"), config)


def rate() -> float | None:
    """Multiplications and additions a second that the chip can do, or None if that is not known."""
    if given := os.environ.get("FOLDRACE_BENCH_TFLOPS"):
        return float(given) * 1e12
    name = torch.cuda.get_device_name()
    return next((1e12 * of for chip, of in RATES.items() if chip in name), None)


def work_of(task: Task, cell: Cell) -> float:
    """Multiplications and additions of a cell's blocks over its real tokens."""
    data = load_data(TREC)
    blocks = frozen_blocks.blocks(pretrained.load_encoder(task.model))
    weights = sum(p.numel() for block in blocks for p in block.parameters() if p.ndim > 1)
    lengths = tokenised(data, task.model, int(str(cell.config["max_length"]))).lengths
    train, held_out = assembly.rows(task, data, cell)
    tokens = 6 * lengths[train].sum() + 2 * lengths[held_out].sum()
    return float(EPOCHS * weights * tokens)


def train(task: Task, cells: list[Cell], stack: int | Literal["auto"]) -> int | None:
    done: list[CellResult] = []
    best = runner.train_cells(task, cells, done.append, stack=stack)
    torch.cuda.synchronize()
    assert {one.status for one in done} == {"done"}, [one.error for one in done][:1]
    return best


def worker(task: Task, cells: list[Cell], ready: Any, go: Any) -> None:
    """One of the processes that share the GPU; the first cell pays for its start."""
    train(task, cells[:1], 1)
    ready.release()
    go.wait()
    train(task, cells[1:], 1)


def shared_by(task: Task, cells: list[Cell], processes: int) -> float:
    """Seconds of the cells, dealt to so many processes."""
    context = multiprocessing.get_context("spawn")
    ready, go = context.Semaphore(0), context.Event()
    parts_of = [[cells[0], *cells[number::processes]] for number in range(processes)]
    started = [
        context.Process(target=worker, args=(task, part, ready, go), daemon=True)
        for part in parts_of
    ]
    for one in started:
        one.start()
    for _ in started:
        assert ready.acquire(timeout=600)
    began = time.perf_counter()
    go.set()
    for one in started:
        one.join()
    assert [one.exitcode for one in started] == [0] * processes
    return time.perf_counter() - began


def test_cells_an_hour(
    base: Path, record: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    need_trec(monkeypatch)
    task = task_of("triple_entropy", 4, str(base))
    config = softtriple(
        k=100, epochs=EPOCHS, learning_rate=1e-5, pooling="cls", precision="bf16", max_length=512
    )
    cells = cells_of(task, config, 96)
    train(task, cells[:1], 1)
    seconds: dict[str, float] = {}
    chosen: dict[str, int | None] = {}
    ways: tuple[tuple[int | Literal["auto"], int], ...] = ((1, 8), (8, 32), (32, 64), ("auto", 96))
    for stack, count in ways:
        train(task, cells[:count], stack)  # the probe, and what the first stack pays for all
        began = time.perf_counter()
        chosen[f"stack {stack}"] = train(task, cells[:count], stack)
        seconds[f"stack {stack}"] = (time.perf_counter() - began) / count
    seconds[f"{PROCESSES} processes"] = shared_by(task, cells[: 8 * PROCESSES], PROCESSES) / (
        8 * PROCESSES
    )
    work, fastest = work_of(task, cells[0]), rate()
    for name, of_cell in seconds.items():
        record(
            f"GPU, {name}",
            "cells an hour of RoBERTa-base's size on TREC-1k, bf16, "
            f"{EPOCHS} epochs; {seconds['stack 1'] / of_cell:.1f} times stack 1",
            3600 / of_cell,
            unit="cells/h",
            tflop_a_cell=work / 1e12,
            share_of_matrix_rate=None if fastest is None else work / of_cell / fastest,
            chosen=chosen.get(name),
        )
