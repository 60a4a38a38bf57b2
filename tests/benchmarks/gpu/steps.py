"""What foldrace does with one GPU, measured in steps that each leave a line behind.

`run.sh` runs it on a machine with torch, transformers and accelerate and nothing of Ray or MLflow.
Each step has its own time and writes a line of JSON as it ends, so that a machine that is taken
away has lost one step. `--tiny` runs the same steps on a small encoder, with or without a GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from peers.looped_heads import looped
from peers.plain_recipe import plain_cell
from peers.soft_triple import metric_learning
from throughput import TREC, cells_of, random_encoder, softtriple, task_of
from torch import Tensor

from trainables.engine.cells import assembly, runner
from trainables.engine.cells import stacks as stack_runs
from trainables.engine.cells.trainable import Trainable
from trainables.engine.contract import Cell, CellResult, Task
from trainables.engine.datasets.load import load_data
from trainables.engine.inputs.tokens import tokenised
from trainables.engine.models import frozen_blocks, pretrained
from trainables.engine.stacking.fit_stack import let_go
from trainables.engine.stacking.recorded import RecordedSteps
from trainables.engine.stacking.trainer import StackTraining
from trainables.engine.training import dropout_masks
from trainables.losses.soft_triple import SoftTripleLoss

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
    """

    stacks: tuple[int, ...] = (16, 24)
    epochs: int = 5
    warm: int = 2
    heads: tuple[int, int] = (1000, 10)
    tokens: int = 32768
    k: int = 2000
    matrix: int = 8192


TINY = Sizes((2, 4), 1, 1, (40, 4), 256, 20, 256)


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

    def step(self, name: str, way: Callable[[Bench], dict[str, Any]]) -> None:
        """Run one step, if there is time, and keep its line."""
        if time.monotonic() > self.until:
            line: dict[str, Any] = {"skipped": "no time left"}
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


def card(bench: Bench) -> dict[str, Any]:
    """The card, and what it can do: matrix products and copies."""
    import accelerate
    import transformers

    width = bench.sizes.matrix
    left, right = (torch.randn(width, width, device=DEVICE).bfloat16() for _ in range(2))
    product = median_seconds(lambda: left @ right)
    source = torch.randn(width * width * 4, device=DEVICE)
    target = torch.empty_like(source)
    copy = median_seconds(lambda: target.copy_(source))
    return {
        "card": torch.cuda.get_device_name() if CUDA else "no GPU",
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "accelerate": accelerate.__version__,
        "cores": os.cpu_count(),
        "bf16_tflops": 2 * width**3 / product / 1e12,
        "copy_tb_s": 2 * source.nbytes / copy / 1e12,
        "gemm_s": product,
    }


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
        line[f"soft_triple_k{k}"] = _loss_gap(k)
    # One stack of four cells three ways: on the CPU in fp32, on the device as it is and recorded.
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


def _loss_gap(k: int) -> float:
    draw = torch.Generator().manual_seed(k)
    x = torch.randn(512, 96, generator=draw)
    labels = torch.randint(0, 6, (512,), generator=draw)
    loss = SoftTripleLoss(6, 96, k, gamma=0.1, scale=3.3, margin=0.3)
    exact = loss(x, labels).detach()
    moved = loss.to(DEVICE)
    with torch.autocast(DEVICE.type, torch.bfloat16, enabled=CUDA):
        mine = moved(x.to(DEVICE), labels.to(DEVICE)).detach()
    return float(abs(mine.cpu() - exact) / abs(exact))


def _probabilities(bench: Bench, cells: list[Cell], record: bool, precision: str) -> Any:
    trainable = Trainable.load(bench.task.trainable)
    changed = [(c, trainable.bind({**c.config, "precision": precision})) for c in cells]
    stack = assembly.stack(bench.task, load_data(TREC), changed)
    training = StackTraining(stack.cells, stack.inputs, stack.labels)
    if not record:
        training.recorded = RecordedSteps(DEVICE, False)
    training.epoch(0)
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
        subprocess.run([sys.executable, __file__, *given, *tiny], check=True, timeout=90)
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
        training.epoch(epoch)
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
    given = [sys.executable, __file__, "--folder", str(bench.folder), "--stacks-of", str(size)]
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


def soft_triple(bench: Bench) -> dict[str, Any]:
    """SoftTriple's step, ours and pytorch-metric-learning's: time and memory."""
    line: dict[str, Any] = {}
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(bench.sizes.tokens, 768, generator=draw).to(DEVICE).requires_grad_()
    labels = torch.randint(0, 6, (bench.sizes.tokens,), generator=draw).to(DEVICE)
    loss = SoftTripleLoss(6, 768, bench.sizes.k, gamma=0.1, scale=3.3, margin=0.3).to(DEVICE)
    ways = {"ours": loss, "metric_learning": metric_learning(loss).to(DEVICE)}
    for name, way in ways.items():
        for precision in ("fp32", "bf16") if CUDA else ("fp32",):
            line[f"{name}_{precision}"] = _step_of(way, x, labels, precision)
    return line


def _step_of(way: Any, x: Tensor, labels: Tensor, precision: str) -> dict[str, float]:
    def step() -> None:
        x.grad = None
        for parameter in way.parameters():
            parameter.grad = None
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=precision == "bf16"):
            value = way(x, labels)
        value.backward()

    seconds = median_seconds(step, 5)
    if not CUDA:
        return {"s": seconds}
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    step()
    return {"s": seconds, "mib": (torch.cuda.max_memory_allocated() - before) / 2**20}


def heads(bench: Bench) -> dict[str, Any]:
    """Linear heads on cached features: as one model, and one after another."""
    from spaces.linear_grid import SPACE
    from trainables.engine.features.extraction import Representation, load

    many, few = bench.sizes.heads
    linear = Trainable.load("linear_eval")
    task = task_of("linear_eval", linear.version, bench.task.model)
    config = {**SPACE.complete(SPACE.references["paper"]), "epochs": 20, "batch_size": 32}
    cells = cells_of(task, config, many)
    name = str(config["representation"])
    features = load(load_data(TREC), task.model, Representation(name=name, max_length=128))
    features = features.clone().to(DEVICE)
    line: dict[str, Any] = {}
    for number in range(2):
        done: list[CellResult] = []
        began = synced()
        runner.train_cells(task, cells, done.append)
        line["first_ms" if number == 0 else "stack_ms"] = 1e3 * (synced() - began) / many
        assert {one.status for one in done} == {"done"}, [one.error for one in done][:1]
    looped(task, cells[:1], features)
    began = synced()
    looped(task, cells[:few], features)
    line["loop_ms"] = 1e3 * (synced() - began) / few
    line["times"] = line["loop_ms"] / line["stack_ms"]
    return line


def drift(bench: Bench) -> dict[str, Any]:
    """The Trainer again: what the machine does now, beside what it did first."""
    cell = bench.cells(1)[0]
    began = synced()
    plain_cell(bench.task, cell, bench.folder, "bf16" if CUDA else "fp32")
    return {"s_a_cell": synced() - began}


def work(task: Task, cell: Cell, epochs: int) -> float:
    """Multiplications and additions of a cell's blocks over its real tokens."""
    data = load_data(TREC)
    blocks = frozen_blocks.blocks(pretrained.load_encoder(task.model))
    weights = sum(p.numel() for block in blocks for p in block.parameters() if p.ndim > 1)
    lengths = tokenised(data, task.model, int(str(cell.config["max_length"]))).lengths
    rows, held_out = assembly.rows(task, data, cell)
    return float(epochs * weights * (6 * lengths[rows].sum() + 2 * lengths[held_out].sum()))


def table(bench: Bench) -> str:
    """The figures side by side."""
    found = bench.found
    flops = work(bench.task, bench.cells(1)[0], bench.sizes.epochs)
    peak = found["card"].get("bf16_tflops", 0) * 1e12
    each = {"Trainer, a process a cell": found["trainer_process"].get("s_a_cell")}
    for precision in ("bf16", "fp32"):
        each[f"Trainer, warm, {precision}"] = found["trainer_warm"].get(f"{precision}_s_a_cell")
    each["ours, alone"] = found["alone"].get("s_a_cell")
    each["ours, stack of 1"] = found["alone"].get("stack_of_one_s")
    for size in bench.sizes.stacks:
        each[f"ours, stack of {size}"] = found["stacks"].get(f"stack_{size}", {}).get("s_a_cell")
    each["ours, two processes"] = found["several"].get("s_a_cell")
    process = each["Trainer, a process a cell"]
    warm = each["Trainer, warm, bf16"] or each["Trainer, warm, fp32"]
    lines = [f"{'':28}{'s a cell':>10}{'cells/h':>10}{'x process':>11}{'x warm':>8}{'FLOP/s':>8}"]
    for name, seconds in each.items():
        if seconds:
            over = [f"{of / seconds:.1f}" if of else "-" for of in (process, warm)]
            share = f"{flops / seconds / peak:.1%}" if peak else "-"
            lines.append(
                f"{name:28}{seconds:10.3f}{3600 / seconds:10.0f}{over[0]:>11}{over[1]:>8}{share:>8}"
            )
    return "\n".join(lines)


STEPS: dict[str, Callable[[Bench], dict[str, Any]]] = {
    "card": card,
    "encoder": encoder,
    "equal": equal,
    "stacks": stacks,
    "trainer_warm": trainer_warm,
    "trainer_process": trainer_process,
    "parts": parts_of_a_stack,
    "alone": alone,
    "soft_triple": soft_triple,
    "heads": heads,
    "several": several,
    "drift": drift,
}


def child(bench: Bench, given: argparse.Namespace) -> None:
    """A process of its own: one cell of the Trainer, or stacks once they are let go."""
    model = bench.folder / "encoder"
    bench.task = task_of("triple_entropy", Trainable.load("triple_entropy").version, str(model))
    bench.config = json.loads((bench.folder / "config.json").read_text())
    if given.one_plain_cell is not None:
        cell = bench.cells(given.one_plain_cell + 1)[-1]
        plain_cell(bench.task, cell, bench.folder, str(bench.config["precision"]))
        return
    cells = bench.cells(3 * given.stacks_of)
    train(bench, cells[: given.stacks_of], given.stacks_of)
    print("ready", flush=True)
    sys.stdin.readline()
    train(bench, cells[given.stacks_of :], given.stacks_of)


def main() -> None:
    """Run the steps, or be a process of one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--folder", type=Path, required=True, help="for the encoder")
    parser.add_argument("--out", type=Path, help="folder of the lines and tables")
    parser.add_argument("--seconds", type=float, default=450.0, help="no step begins after them")
    parser.add_argument("--only", nargs="*", help="steps to run; card and encoder always")
    parser.add_argument("--one-plain-cell", type=int)
    parser.add_argument("--stacks-of", type=int)
    given = parser.parse_args()
    sizes = TINY if given.tiny else Sizes()
    if not CUDA:
        torch.set_num_threads(1)  # two threads wait for one another on a busy machine
    out = (given.out or given.folder) / "steps.jsonl"
    bench = Bench(given.folder, sizes, out, time.monotonic() + given.seconds)
    if given.one_plain_cell is not None or given.stacks_of is not None:
        child(bench, given)
        return
    for name, way in STEPS.items():
        if given.only is None or name in {"card", "encoder", *given.only}:
            bench.step(name, way)
        else:
            bench.found[name] = {}
        if name == "encoder":
            (bench.folder / "config.json").write_text(json.dumps(bench.config))
    print(table(bench))


if __name__ == "__main__":
    main()
