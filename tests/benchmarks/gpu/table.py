"""The table at the end: cells an hour, shares of the card's rates, and whether numbers agree."""

from __future__ import annotations

import math
from typing import Any

from gpu.state import CUDA, Bench
from throughput import TREC

from trainables.engine.cells import assembly
from trainables.engine.contract import Cell, Task
from trainables.engine.datasets.load import load_data
from trainables.engine.inputs.tokens import tokenised
from trainables.engine.models import frozen_blocks, pretrained

# Bytes that a step moves for each weight: of ours in bf16 a cast, two readings, a gradient and
# AdamW; in fp32 no cast.
_BYTES = {"bf16": 46, "fp32": 40}
# Largest differences that are rounding's.
BOUNDS = {
    "dropout_differs": 0.0,
    "soft_triple": 1e-2,
    "cpu_differs": 1e-3,
    "recorded_differs": 1e-4,
    "bf16_differs": 0.02,
}


def weights_of(task: Task) -> int:
    """Number of weights of an encoder's blocks; of its words a cell has few."""
    blocks = frozen_blocks.blocks(pretrained.load_encoder(task.model))
    return sum(p.numel() for block in blocks for p in block.parameters() if p.ndim > 1)


def work(task: Task, cell: Cell, epochs: int) -> float:
    """Multiplications and additions of a cell's blocks over its real tokens."""
    data = load_data(TREC)
    lengths = tokenised(data, task.model, int(str(cell.config["max_length"]))).lengths
    rows, held_out = assembly.rows(task, data, cell)
    return float(
        epochs * weights_of(task) * (6 * lengths[rows].sum() + 2 * lengths[held_out].sum())
    )


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
    for size in bench.sizes.adapters:
        own = found["adapters"].get(f"stack_{size}", {})
        each[f"ours, LoRA, stack of {size}"] = own.get("s_a_cell")
    each["ours, two processes"] = found["several"].get("s_a_cell")
    each["the same, with MPS"] = found["with_mps"].get("s_a_cell")
    process = each["Trainer, a process a cell"]
    warm = each["Trainer, warm, bf16"] or each["Trainer, warm, fp32"]
    rate = found["card"].get("copy_tb_s", 0) * 1e12
    rows = len(assembly.rows(bench.task, load_data(TREC), bench.cells(1)[0])[0])
    steps = bench.sizes.epochs * math.ceil(rows / int(str(bench.config["batch_size"])))
    weights = weights_of(bench.task)
    lines = [
        f"{'':28}{'s a cell':>10}{'cells/h':>10}{'x process':>11}{'x warm':>8}{'FLOP/s':>8}"
        f"{'memory':>8}"
    ]
    for name, seconds in each.items():
        if seconds:
            over = [f"{of / seconds:.1f}" if of else "-" for of in (process, warm)]
            share = f"{flops / seconds / peak:.1%}" if peak else "-"
            # A stack of adapters steps none of the encoder's weights.
            own = "LoRA" not in name
            moved = own * _BYTES["fp32" if "fp32" in name or not CUDA else "bf16"] * weights * steps
            memory = f"{moved / seconds / rate:.1%}" if rate and own else "-"
            share = share if own else "-"
            lines.append(
                f"{name:28}{seconds:10.3f}{3600 / seconds:10.0f}{over[0]:>11}{over[1]:>8}{share:>8}"
                f"{memory:>8}"
            )
    return "\n".join([*lines, *_beside(found)])


def _beside(found: dict[str, Any]) -> list[str]:
    """The host's share, waits, and whether the numbers are a CPU's."""
    parts, equal = found["parts"], found["equal"]
    busy = parts.get("gpu_busy_share")
    host = "no GPU" if busy is None else f"{1 - busy:.1%} of a replayed epoch"
    waits = parts.get("syncs_a_step_unrecorded")
    lines = [
        f"host's share: {host}; waits for the device a step: {'-' if waits is None else waits}"
    ]
    differ = differences(equal)
    beyond = out_of_bounds(differ)
    said = ", ".join(f"{name} {value:.2g}" for name, value in differ.items())
    kept = f"beyond bounds: {', '.join(beyond)}" if beyond else "within bounds"
    return [*lines, f"against fp32 on the CPU: {kept if differ else 'not compared'} ({said})"]


def differences(equal: dict[str, Any]) -> dict[str, float]:
    """Differences by piece, of the line of the step `equal`."""
    return {
        name: value
        for name, value in equal.items()
        if name.endswith("_differs") or name.startswith("soft_triple")
    }


def out_of_bounds(differ: dict[str, float]) -> list[str]:
    """Names of differences that are more than rounding."""
    bounds = {name: BOUNDS[name.partition("_k")[0]] for name in differ}
    return [name for name, value in differ.items() if not value <= bounds[name]]
