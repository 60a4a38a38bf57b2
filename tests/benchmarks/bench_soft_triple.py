"""SoftTriple at the paper's k = 2000: time and memory of a step, ours beside three other ways.

`make bench`, or `python tests/benchmarks/bench_soft_triple.py --out FILE` for the figures as JSON.
A step is the loss and its backward pass. Times are taken in turns in one process, so that what else
the machine does meets all ways; on a busy machine `--threads 1` and the processor's time say more
than the clock. The memory of each way is the peak of a process of its own above what it held
before. Figures are for the machine at hand; only ratios are asserted.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import pytest
import torch
from peers.soft_triple import metric_learning, plain, recomputed
from torch import Tensor
from torch.func import functional_call, stack_module_state

from trainables.engine.training.cost import forget_peak, peak_mib
from trainables.losses.soft_triple import SoftTripleLoss

Step = Callable[[], None]

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
CLASSES, K, DIM = 6, 2000, 768
TOKENS = (4096, 32768)
SETTINGS = {"gamma": 0.1, "scale": 3.3, "margin": 0.3}
# What each of our figures may be at most, of those of the plain formula and of its peer.
MOST_TIME = {"cpu": 1.1, "cuda": 0.5}
MOST_MEMORY = 1 / 8
# (cells, tokens, proxies a class, dim): a batch on a small encoder, and stacks of heads.
SMALL = ((1, 900, 100, 384), (1, 64, 10, 256), (16, 64, 10, 256), (300, 64, 10, 256))


class Plain(SoftTripleLoss):
    """The plain formula as a module, for a stack."""

    forward = plain


WAYS: dict[str, Callable[[SoftTripleLoss], Callable[[Tensor, Tensor], Tensor]]] = {
    "ours": lambda loss: loss,
    "plain": lambda loss: lambda *batch: plain(loss, *batch),
    "metric-learning": lambda loss: metric_learning(loss).to(DEVICE),
    "recomputed": lambda loss: lambda *batch: recomputed(loss, *batch),
}
OTHERS = ("plain", "metric-learning")


def step_of(way: str, tokens: int, k: int = K, dim: int = DIM) -> Step:
    """The loss of made-up embeddings and its backward pass."""
    draw = torch.Generator().manual_seed(0)
    embeddings = torch.randn(tokens, dim, generator=draw).to(DEVICE).requires_grad_()
    labels = torch.randint(0, CLASSES, (tokens,), generator=draw).to(DEVICE)
    loss = SoftTripleLoss(CLASSES, dim, k, **SETTINGS).to(DEVICE)
    of_batch = WAYS[way](loss)
    parameters = [*loss.parameters(), *getattr(of_batch, "parameters", list)()]

    def step() -> None:
        for tensor in (embeddings, *parameters):
            tensor.grad = None
        of_batch(embeddings, labels).backward()

    return step


def stacked_step(kind: type[SoftTripleLoss], cells: int, tokens: int, k: int, dim: int) -> Step:
    """The same for a stack of cells under vmap, as trainables/engine/stacking/module.py does."""
    draw = torch.Generator().manual_seed(0)
    embeddings = torch.randn(cells, tokens, dim, generator=draw).to(DEVICE).requires_grad_()
    labels = torch.randint(0, CLASSES, (cells, tokens), generator=draw).to(DEVICE)
    modules = [kind(CLASSES, dim, k, **SETTINGS).to(DEVICE) for _ in range(cells)]
    parameters, buffers = stack_module_state(modules)

    def one(state: dict[str, Tensor], x: Tensor, of_x: Tensor) -> Any:
        return functional_call(modules[0], state, (x, of_x))

    def step() -> None:
        for tensor in (embeddings, *parameters.values()):
            tensor.grad = None
        torch.vmap(one)({**parameters, **buffers}, embeddings, labels).sum().backward()

    return step


def seconds(steps: dict[str, Step], repeats: int) -> dict[str, tuple[float, float]]:
    """Medians by the clock and of the processor, in turns; the first turn does not count."""
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    for turn in range(repeats + 1):
        for name, step in steps.items():
            began = time.perf_counter(), time.process_time()
            step()
            if DEVICE == "cuda":
                torch.cuda.synchronize()
            if turn:
                took[name].append((time.perf_counter() - began[0], time.process_time() - began[1]))
    return {
        name: (median(clock for clock, _ in times), median(used for _, used in times))
        for name, times in took.items()
    }


def own_peak(way: str, tokens: int) -> float:
    """MiB that a step takes at its peak; to be called once a process."""
    step_of(way, 8, k=2)()  # loads what a first step loads
    step = step_of(way, tokens)
    forget_peak()
    if DEVICE == "cuda":
        before = torch.cuda.memory_allocated() / 2**20
    else:
        before = psutil.Process().memory_info().rss / 2**20
    step()
    return peak_mib() - before


def peak(way: str, tokens: int) -> float:
    """`own_peak` of a process of its own."""
    command = [sys.executable, __file__, "--peak", way, "--tokens", str(tokens)]
    path = [str(Path(__file__).parents[2]), *sys.path]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(path)}
    )
    return float(done.stdout)


def fits(tokens: int) -> bool:
    """Whether the machine has room for the plain formula, which holds four copies at once."""
    needed = 5 * 4 * tokens * CLASSES * K
    if DEVICE == "cuda":
        return bool(needed < torch.cuda.mem_get_info()[0])
    return bool(needed < psutil.virtual_memory().available)


def compare(tokens: int, repeats: int) -> dict[str, dict[str, float]]:
    """Seconds and MiB of a step of each way."""
    peaks = {way: peak(way, tokens) for way in WAYS}
    times = seconds({way: step_of(way, tokens) for way in WAYS}, repeats)
    return {
        way: {"seconds": clock, "processor_seconds": used, "peak_mib": peaks[way]}
        for way, (clock, used) in times.items()
    }


def table(tokens: int, found: dict[str, dict[str, float]]) -> str:
    """The figures, and in brackets ours over each."""
    lines = [
        f"\n{DEVICE}, {torch.get_num_threads()} threads, "
        f"{tokens:,} tokens x {CLASSES * K:,} proxies x {DIM}",
        f"  {'(ours/this)':16} {'seconds':>16} {'processor':>16} {'peak MiB':>18}",
    ]
    for way, of in found.items():
        ratio = {name: found["ours"][name] / value for name, value in of.items()}
        lines.append(
            f"  {way:16} {of['seconds']:8.3f} ({ratio['seconds']:5.2f})"
            f" {of['processor_seconds']:8.3f} ({ratio['processor_seconds']:5.2f})"
            f" {of['peak_mib']:9.0f} ({ratio['peak_mib']:6.3f})"
        )
    return "\n".join(lines)


@pytest.mark.parametrize("tokens", TOKENS)
def test_a_step_at_the_papers_size(record: Callable[..., None], tokens: int) -> None:
    if not fits(tokens):
        pytest.skip(f"no room for the plain formula on {tokens:,} tokens")
    found = compare(tokens, repeats=3)
    print(table(tokens, found))
    ours = found["ours"]
    for other in OTHERS:
        of = f"of {other}'s, {tokens:,} tokens x {CLASSES * K:,} proxies x {DIM}"
        record(
            f"SoftTriple's time, {tokens:,} tokens, {other}",
            f"the share {of}",
            ours["seconds"] / found[other]["seconds"],
            at_most=MOST_TIME[DEVICE],
            **found,
        )
        record(
            f"SoftTriple's memory, {tokens:,} tokens, {other}",
            f"the share {of}",
            ours["peak_mib"] / found[other]["peak_mib"],
            at_most=MOST_MEMORY,
        )


@pytest.mark.parametrize("size", SMALL, ids=str)
def test_a_small_step_is_no_slower_than_the_plain_formula(size: tuple[int, ...]) -> None:
    steps = {"ours": stacked_step(SoftTripleLoss, *size), "plain": stacked_step(Plain, *size)}
    took = seconds(steps, repeats=20)
    clock, used = (ours / other for ours, other in zip(took["ours"], took["plain"], strict=True))
    print(
        f"\n{DEVICE}, cells, tokens, k, dim {size}: {1e3 * took['ours'][0]:.1f} ms, "
        f"ours/plain {clock:.2f}, of the processor {used:.2f}"
    )
    # Steps of milliseconds: what else runs may spoil either.
    assert min(clock, used) <= MOST_TIME["cpu"]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tokens", type=int, nargs="+", default=TOKENS)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--peak", choices=WAYS, help="print the MiB of one step of this way alone")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    if given.peak:
        print(own_peak(given.peak, given.tokens[0]))
        return
    rows = []
    for tokens in given.tokens:
        if not fits(tokens):
            print(f"\nno room for the plain formula on {tokens:,} tokens")
            continue
        found = compare(tokens, given.repeats)
        print(table(tokens, found))
        size = {"tokens": tokens, "proxies": CLASSES * K, "dim": DIM, "device": DEVICE}
        size["threads"] = given.threads
        rows += [{"way": way, **size, **figures} for way, figures in found.items()]
    if given.out:
        given.out.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
