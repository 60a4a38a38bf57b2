"""Steps that measure a piece: the card itself, SoftTriple, heads."""

from __future__ import annotations

import os
from typing import Any

import torch
from gpu.state import CUDA, DEVICE, Bench, median_seconds, synced
from peers.looped_heads import looped
from peers.soft_triple import metric_learning
from throughput import TREC, cells_of, task_of
from torch import Tensor

from trainables.engine.cells import runner
from trainables.engine.cells.trainable import Trainable
from trainables.engine.contract import CellResult
from trainables.engine.datasets.load import load_data
from trainables.losses.soft_triple import SoftTripleLoss


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


def loss_gap(k: int) -> float:
    draw = torch.Generator().manual_seed(k)
    x = torch.randn(512, 96, generator=draw)
    labels = torch.randint(0, 6, (512,), generator=draw)
    loss = SoftTripleLoss(6, 96, k, gamma=0.1, scale=3.3, margin=0.3)
    exact = loss(x, labels).detach()
    moved = loss.to(DEVICE)
    with torch.autocast(DEVICE.type, torch.bfloat16, enabled=CUDA):
        mine = moved(x.to(DEVICE), labels.to(DEVICE)).detach()
    return float(abs(mine.cpu() - exact) / abs(exact))


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
