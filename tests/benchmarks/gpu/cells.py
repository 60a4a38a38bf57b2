"""Steps that train cells: the Trainer's, ours alone and in stacks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu.pieces import loss_gap
from gpu.state import CUDA, DEVICE, TINY, Bench, synced
from peers.plain_recipe import plain_cell
from throughput import TREC, random_encoder, softtriple, task_of

from trainables.engine.cells import assembly, runner
from trainables.engine.cells import stacks as stack_runs
from trainables.engine.cells.trainable import Trainable
from trainables.engine.contract import Cell, CellResult
from trainables.engine.datasets.load import load_data
from trainables.engine.models import pretrained
from trainables.engine.stacking.fit_stack import let_go
from trainables.engine.stacking.recorded import RecordedSteps
from trainables.engine.stacking.trainer import StackTraining
from trainables.engine.training import dropout_masks

# Each process of a step is the script again.
STEPS = str(Path(__file__).with_name("steps.py"))
FEW_STEPS = "few_steps.npy"


def encoder(bench: Bench) -> dict[str, Any]:
    """An encoder of random weights, and the task on it."""
    from transformers import BertConfig, RobertaConfig

    config: Any = RobertaConfig(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1)
    if bench.sizes is TINY:
        config = BertConfig(
            vocab_size=9000, hidden_size=64, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=128,
        )  # fmt: skip
    model = random_encoder(bench.folder / "encoder", config)
    bench.task = task_of("triple_entropy", Trainable.load("triple_entropy").version, str(model))
    bench.config = softtriple(
        k=100, epochs=bench.sizes.epochs, learning_rate=1e-5, pooling="cls",
        precision="bf16" if CUDA else "fp32", max_length=512, batch_size=64,
    )  # fmt: skip
    return {"weights": sum(p.numel() for p in pretrained.load_encoder(str(model)).parameters())}


def equal(bench: Bench) -> dict[str, Any]:
    """The same numbers as on a CPU, in every piece that a GPU does in another way."""
    line: dict[str, Any] = {}
    keys = torch.randint(-(2**31), 2**31, (3, 9, 2), dtype=torch.int64).to(torch.int32)
    values = torch.randn(3, 8, 5, 37)
    here = dropout_masks.Step(keys, 1).applied(values, 0.1, 2, 1)
    there = dropout_masks.Step(keys.to(DEVICE), 1).applied(values.to(DEVICE), 0.1, 2, 1)
    line["dropout_differs"] = int(((here == 0) != (there.cpu() == 0)).sum())
    line["dropout_kernel"] = CUDA and dropout_masks._kernel() is not None
    for k in (10, bench.sizes.k):
        line[f"soft_triple_k{k}"] = loss_gap(k)
    # One stack of four cells: on the CPU in fp32 for a few steps, on the device for as many, as it
    # is, recorded and in bf16.
    expected = _on_the_cpu(bench)
    few = few_steps(bench)
    line["cpu_differs"] = float(abs(few - expected).max())
    found = {}
    small = bench.cells(4, epochs=1, precision="fp32")
    for name, record, precision in (
        ("plain", False, "fp32"),
        ("recorded", True, "fp32"),
        ("bf16", True, "bf16" if CUDA else "fp32"),
    ):
        found[name] = _probabilities(bench, small, record, precision)
    for name in ("recorded", "bf16"):
        line[f"{name}_differs"] = float(abs(found[name] - found["plain"]).max())
    line["recordings"] = CUDA
    return line


def few_steps(bench: Bench) -> Any:
    """Probabilities of a stack of four in fp32, unrecorded, after two steps."""
    small = bench.cells(4, epochs=1, precision="fp32")
    return _probabilities(bench, small, record=False, precision="fp32", steps=2)


def _on_the_cpu(bench: Bench) -> Any:
    """The same by a process that sees no GPU."""
    given = ["--few-steps", "--folder", str(bench.folder)]
    tiny = ["--tiny"] if bench.sizes is TINY else []
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run([sys.executable, STEPS, *given, *tiny], check=True, timeout=90, env=hidden)
    return np.load(bench.folder / FEW_STEPS)


def _probabilities(
    bench: Bench, cells: list[Cell], record: bool, precision: str, steps: int | None = None
) -> Any:
    trainable = Trainable.load(bench.task.trainable)
    changed = [(c, trainable.bind({**c.config, "precision": precision})) for c in cells]
    stack = assembly.stack(bench.task, load_data(TREC), changed)
    training = StackTraining(stack.cells, stack.inputs, stack.labels)
    if not record:
        training.recorded = RecordedSteps(DEVICE, False)
    training.epoch(0, most_steps=steps)
    return torch.as_tensor(training.predict()[0]).numpy()


def trainer_warm(bench: Bench) -> dict[str, Any]:
    """The Trainer, one cell after another in one process."""
    line = {}
    for precision in ("bf16", "fp32") if CUDA else ("fp32",):
        plain_cell(bench.task, bench.cells(1, epochs=1)[0], bench.folder, precision)
        began = synced()
        for cell in bench.cells(bench.sizes.warm):
            plain_cell(bench.task, cell, bench.folder, precision)
        line[f"{precision}_s_a_cell"] = (synced() - began) / bench.sizes.warm
    return line


def trainer_process(bench: Bench) -> dict[str, Any]:
    """The Trainer, a process a cell, its start included."""
    took = []
    for number in range(2 if CUDA else 1):
        began = time.perf_counter()
        given = ["--one-plain-cell", str(number), "--folder", str(bench.folder)]
        tiny = ["--tiny"] if bench.sizes is TINY else []
        subprocess.run([sys.executable, STEPS, *given, *tiny], check=True, timeout=90)
        took.append(time.perf_counter() - began)
    return {"s_a_cell": sum(took) / len(took), "all_s": took}


def train(bench: Bench, cells: list[Cell], stack: int) -> float:
    """Seconds of some cells by the way that a worker takes."""
    done: list[CellResult] = []
    began = synced()
    runner.train_cells(bench.task, cells, done.append, stack=stack)
    took = synced() - began
    assert {one.status for one in done} == {"done"}, [one.error for one in done][:1]
    return took


def alone(bench: Bench) -> dict[str, Any]:
    """Ours, one cell after another: on the plain path, and as recorded stacks of one."""
    cells = bench.cells(3)
    train(bench, cells[:1], 1)
    line = {"s_a_cell": train(bench, cells[1:], 1) / 2}
    trainable = Trainable.load(bench.task.trainable)
    done: list[CellResult] = []
    for number, cell in enumerate(cells):
        began = synced()
        member = (cell, trainable.bind(cell.config))
        stack_runs.train_stack(bench.task, load_data(TREC), [member], done.append)
        line["first_of_one_s" if number == 0 else "stack_of_one_s"] = synced() - began
    return line


def stacks(bench: Bench) -> dict[str, Any]:
    """Ours in stacks: the second of each size counts."""
    line: dict[str, Any] = {}
    for size in bench.sizes.stacks:
        let_go()
        if CUDA:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        try:
            first = train(bench, bench.cells(size), size)
            both = train(bench, bench.cells(3 * size)[size:], size)
        except AssertionError as error:
            line[f"stack_{size}"] = {"error": str(error)[:300]}
            continue
        line[f"stack_{size}"] = {
            "first_s_a_cell": first / size,
            "s_a_cell": both / (2 * size),
            "peak_gib": torch.cuda.max_memory_allocated() / 2**30 if CUDA else None,
        }
    return line


def parts_of_a_stack(bench: Bench) -> dict[str, Any]:
    """Where a stack's time goes: set-up, each epoch, scoring."""
    size = bench.sizes.stacks[1]
    trainable = Trainable.load(bench.task.trainable)
    members = [(cell, trainable.bind(cell.config)) for cell in bench.cells(size)]
    began = synced()
    stack = assembly.stack(bench.task, load_data(TREC), members)
    made = synced()
    training = StackTraining(stack.cells, stack.inputs, stack.labels)
    line: dict[str, Any] = {"assemble_s": made - began, "to_device_s": synced() - made}
    for epoch in range(3):
        began = synced()
        training.epoch(epoch, bench.sizes.steps)
        ended = synced()
        training.predict()
        line[f"epoch_{epoch}_s"], line[f"score_{epoch}_s"] = ended - began, synced() - ended
    line["steps_an_epoch"] = training.steps_per_epoch
    line["recording"] = training.recorded.records
    line["recordings"] = len(training.recorded._recordings)
    line |= _profiled(training, bench.out.parent)
    line["syncs_a_step_unrecorded"] = _syncs(training)
    return line


def _profiled(training: StackTraining, out: Path) -> dict[str, Any]:
    """Busy share of the GPU in an epoch that is replayed, and its kernels."""
    if not CUDA:
        return {}
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        began = synced()
        training.epoch(1)
        wall = synced() - began
    kernels = seen.key_averages()
    (out / "kernels.txt").write_text(
        kernels.table(sort_by="self_device_time_total", row_limit=45, max_name_column_width=110)
    )
    busy = sum(each.self_device_time_total for each in kernels) / 1e6
    steps = training.steps_per_epoch
    return {
        "profiled_epoch_s": wall,
        "gpu_busy_s": busy,
        "gpu_busy_share": busy / wall,
        "kernels_a_step": sum(each.count for each in kernels) / steps,
    }


def _syncs(training: StackTraining) -> float | None:
    """Waits for the device in a step that is not recorded."""
    if not CUDA:
        return None
    training.recorded = RecordedSteps(DEVICE, False)
    with _counting_syncs() as seen:
        training.epoch(0, most_steps=2)
    return len(seen) / 2


@contextmanager
def _counting_syncs() -> Iterator[list[Any]]:
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            yield seen
    finally:
        torch.cuda.set_sync_debug_mode("default")


def several(bench: Bench) -> dict[str, Any]:
    """Two processes that share the card, each with stacks."""
    size = bench.sizes.stacks[0]
    given = [sys.executable, STEPS, "--folder", str(bench.folder), "--stacks-of", str(size)]
    given += ["--tiny"] if bench.sizes is TINY else []
    both = [
        subprocess.Popen(given, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for one in both:
        assert one.stdout is not None
        assert "ready" in one.stdout.readline()
    began = time.perf_counter()
    for one in both:
        one.communicate("go\n", timeout=120)
    return {"stack": size, "s_a_cell": (time.perf_counter() - began) / (4 * size)}


def drift(bench: Bench) -> dict[str, Any]:
    """The Trainer again: what the machine does now, beside what it did first."""
    cell = bench.cells(1)[0]
    began = synced()
    plain_cell(bench.task, cell, bench.folder, "bf16" if CUDA else "fp32")
    return {"s_a_cell": synced() - began}
