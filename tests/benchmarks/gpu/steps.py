"""What foldrace does with one GPU, measured in steps that each leave a line behind.

`run.sh` runs it on a machine with torch, transformers and accelerate and nothing of Ray or MLflow.
Each step has its own time and writes a line of JSON as it ends, so that a machine that is taken
away has lost one step. `--tiny` runs the same steps on a small encoder, with or without a GPU.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu.cells import (
    FEW_STEPS,
    alone,
    drift,
    encoder,
    equal,
    few_steps,
    parts_of_a_stack,
    several,
    stacks,
    train,
    trainer_process,
    trainer_warm,
)
from gpu.more import (
    adapters,
    adapters_large,
    attention,
    early_steps,
    long_texts,
    with_mps,
)
from gpu.pieces import card, heads, soft_triple
from gpu.state import CUDA, TINY, Bench, Sizes
from gpu.table import table
from peers.plain_recipe import plain_cell
from throughput import task_of

from trainables.engine.cells.trainable import Trainable

# In the order of their worth, each with the seconds that it may take on a GPU. Of those that ran on
# an H100 they are about what they took there, of the others a guess by their work. All together
# they are more than there is time for: what is worth least is what a slow host leaves out.
STEPS: dict[str, tuple[Callable[[Bench], dict[str, Any]], float]] = {
    "card": (card, 15),
    "encoder": (encoder, 15),
    "equal": (equal, 40),
    "stacks": (stacks, 45),
    "adapters": (adapters, 45),
    "trainer_warm": (trainer_warm, 25),
    "trainer_process": (trainer_process, 40),
    "parts": (parts_of_a_stack, 15),
    "alone": (alone, 20),
    "early_steps": (early_steps, 20),
    "attention": (attention, 5),
    "long_texts": (long_texts, 25),
    "adapters_large": (adapters_large, 40),
    "soft_triple": (soft_triple, 15),
    "heads": (heads, 15),
    "several": (several, 45),
    "with_mps": (with_mps, 45),
    "drift": (drift, 5),
}


def child(bench: Bench, given: argparse.Namespace) -> None:
    """A process of its own: the Trainer's cell, a few steps, or stacks once let go."""
    model = bench.folder / "encoder"
    bench.task = task_of("triple_entropy", Trainable.load("triple_entropy").version, str(model))
    bench.config = json.loads((bench.folder / "config.json").read_text())
    if given.few_steps:
        np.save(bench.folder / FEW_STEPS, few_steps(bench))
        return
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
    parser.add_argument(
        "--seconds", type=float, default=450.0, help="no step begins that would end after them"
    )
    parser.add_argument("--only", nargs="*", help="steps to run; card and encoder always")
    parser.add_argument("--one-plain-cell", type=int)
    parser.add_argument("--stacks-of", type=int)
    parser.add_argument("--few-steps", action="store_true")
    given = parser.parse_args()
    sizes = TINY if given.tiny else Sizes()
    if not CUDA:
        torch.set_num_threads(1)  # two threads wait for one another on a busy machine
    out = (given.out or given.folder) / "steps.jsonl"
    # Small steps are all taken, however busy the machine.
    most = math.inf if given.tiny else given.seconds
    bench = Bench(given.folder, sizes, out, time.monotonic() + most)
    if given.few_steps or given.one_plain_cell is not None or given.stacks_of is not None:
        child(bench, given)
        return
    for name, (way, budget) in STEPS.items():
        if given.only is None or name in {"card", "encoder", *given.only}:
            bench.step(name, way, budget)
        else:
            bench.found[name] = {}
        if name == "encoder":
            (bench.folder / "config.json").write_text(json.dumps(bench.config))
    print(table(bench))


if __name__ == "__main__":
    main()
