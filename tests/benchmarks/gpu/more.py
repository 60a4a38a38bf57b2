"""Steps for what the first run on a GPU left unmeasured: adapters, long texts, kernels, MPS."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from gpu.cells import several, train
from gpu.state import CUDA, DEVICE, TINY, Bench, median_seconds, synced
from throughput import TREC, random_encoder, task_of
from torch.nn import functional

from trainables.engine.cells import assembly
from trainables.engine.cells.trainable import Trainable
from trainables.engine.contract import Cell, DataRef, Split, Task
from trainables.engine.datasets.load import load_data
from trainables.engine.models.pretrained import model_fingerprint
from trainables.engine.stacking.fit_stack import let_go
from trainables.engine.stacking.trainer import StackTraining
from trainables.engine.training import dropout, dropout_masks

_LORA = {"lora_rank": 8, "lora_alpha": 2.0}
_MPS = "nvidia-cuda-mps-control"


def adapters(bench: Bench) -> dict[str, Any]:
    """LoRA cells in stacks; the second stack of each size counts."""
    if importlib.util.find_spec("peft") is None:
        return {"skipped": "no peft"}
    line: dict[str, Any] = {}
    for size in bench.sizes.adapters:
        line[f"stack_{size}"] = _first_and_second(bench, bench.cells(2 * size, **_LORA))
    return line


def adapters_large(bench: Bench) -> dict[str, Any]:
    """LoRA cells on an encoder of RoBERTa-large's size, as many as are wanted in one stack."""
    from transformers import BertConfig, RobertaConfig

    if importlib.util.find_spec("peft") is None:
        return {"skipped": "no peft"}
    config: Any = RobertaConfig(
        vocab_size=50265, max_position_embeddings=514, type_vocab_size=1, hidden_size=1024,
        num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096,
    )  # fmt: skip
    if bench.sizes is TINY:
        config = BertConfig(
            vocab_size=9000, hidden_size=96, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=192,
        )  # fmt: skip
    began = synced()
    model = random_encoder(bench.folder / "large", config)
    line: dict[str, Any] = {"encoder_s": synced() - began}
    own = Bench(bench.folder, bench.sizes, bench.out, bench.until)
    own.task = task_of(bench.task.trainable, bench.task.version, str(model))
    own.config = {**bench.config, **_LORA, "epochs": 1}
    return line | _first_and_second(own, own.cells(2 * bench.sizes.large))


def _first_and_second(bench: Bench, cells: list[Cell]) -> dict[str, Any]:
    """Seconds a cell of two stacks one after another, and the most memory."""
    size = len(cells) // 2
    let_go()
    if CUDA:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    first = train(bench, cells[:size], size)
    second = train(bench, cells[size:], size)
    peak = torch.cuda.max_memory_allocated() / 2**30 if CUDA else None
    return {"first_s_a_cell": first / size, "s_a_cell": second / size, "peak_gib": peak}


def early_steps(bench: Bench) -> dict[str, Any]:
    """Weights stepped within recorded backward passes: time and memory, against afterwards."""
    size = bench.sizes.stacks[0]
    line: dict[str, Any] = {"stack": size}
    for name, early in (("afterwards", False), ("early", True)):
        training = _stack(bench.task, bench.cells(size))
        training.steps_early = early
        line[name] = _epochs(bench, training)
    return line


def long_texts(bench: Bench) -> dict[str, Any]:
    """Stacks on texts of hundreds of tokens, with and without dropout of attention."""
    texts, tokens = load_data(TREC).texts, bench.sizes.long_tokens
    joined = [" ".join(texts[(7 * row) % 1000 :][: max(1, tokens // 10)]) for row in range(200)]
    path = bench.folder / "long.csv"
    rows = [f'"{text.replace(chr(34), " ")} {row}",{row % 5}' for row, text in enumerate(joined)]
    path.write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    data = DataRef(name=str(path))
    task = Task(
        trainable=bench.task.trainable, version=bench.task.version, data=data,
        data_fingerprint=load_data(data).fingerprint, model=bench.task.model,
        model_fingerprint=model_fingerprint(bench.task.model), split=Split(folds=5),
    )  # fmt: skip
    line: dict[str, Any] = {}
    kinds: dict[str, dict[str, Any]] = {"dropped": {}, "kept": {"attention_dropout": 0.0}}
    for size in bench.sizes.long_stacks:
        for name, own in kinds.items():
            cells = bench.cells(size, max_length=tokens, batch_size=32, epochs=3, **own)
            line[f"stack_{size}_attention_{name}"] = _epochs(bench, _stack(task, cells))
    return line


def _stack(task: Task, cells: list[Cell]) -> StackTraining:
    let_go()
    trainable = Trainable.load(task.trainable)
    members = [(cell, trainable.bind(cell.config)) for cell in cells]
    stack = assembly.stack(task, load_data(task.data), members)
    return StackTraining(stack.cells, stack.inputs, stack.labels)


def _epochs(bench: Bench, training: StackTraining) -> dict[str, Any]:
    """Seconds of a step in the third epoch, and of scoring after it; the most memory."""
    if CUDA:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    for epoch in range(2):
        training.epoch(epoch, bench.sizes.steps)
        training.predict()
    steps = training.steps_per_epoch
    began = synced()
    training.epoch(2, bench.sizes.steps)
    ended = synced()
    training.predict()
    return {
        "step_s": (ended - began) / min(bench.sizes.steps or steps, steps),
        "score_s": synced() - ended,
        "recorded": training.recorded.records,
        "peak_gib": torch.cuda.max_memory_allocated() / 2**30 if CUDA else None,
    }


def attention(bench: Bench) -> dict[str, Any]:
    """One layer's attention, there and back: ours with dropout, a mask, none, and varlen."""
    line: dict[str, Any] = {}
    for rows, length in bench.sizes.attention:
        for name, way in _ways(rows, length).items():
            try:
                line[f"{rows}x{length}_{name}_ms"] = 1e3 * median_seconds(way, 5)
            except Exception as error:  # a kernel that this card or this torch lacks
                line[f"{rows}x{length}_{name}_error"] = str(error)[:200]
    return line


def _ways(rows: int, length: int) -> dict[str, Callable[[], None]]:
    heads, width = 12, 64
    dtype = torch.bfloat16 if CUDA else torch.float32
    parts: Any = [
        torch.randn(rows, heads, length, width, device=DEVICE, dtype=dtype).requires_grad_()
        for _ in range(3)
    ]
    real = torch.randint(length // 2, length + 1, (rows,), device=DEVICE)
    mask = (torch.arange(length, device=DEVICE) < real[:, None])[:, None, None]
    keys = torch.randint(-(2**31), 2**31, (1, rows + 1, 2), device=DEVICE).to(torch.int32)

    def attend(*of: Any, **how: Any) -> Any:
        return functional.scaled_dot_product_attention(*of, **how)  # as it is now: see `drawing`

    def back(attended: Any, of: Any = parts) -> None:
        torch.autograd.grad(attended.sum(), of)

    def with_dropout() -> None:
        step = dropout_masks.Step(keys, 1)
        # As in training: autocast has softmax in float32.
        with dropout.drawing(step), torch.autocast(DEVICE.type, torch.bfloat16, enabled=CUDA):
            back(attend(*parts, attn_mask=mask, dropout_p=0.1))

    ways = {
        "dropout": with_dropout,
        "mask": lambda: back(attend(*parts, attn_mask=mask)),
        "no_mask": lambda: back(attend(*parts)),
    }
    if CUDA and importlib.util.find_spec("torch.nn.attention.varlen") is not None:
        varlen: Any = importlib.import_module("torch.nn.attention.varlen")
        ends = functional.pad(real.cumsum(0), (1, 0)).to(torch.int32)
        at = mask.flatten().nonzero().flatten()
        # Packed once: an encoder would stay packed from layer to layer.
        flat: Any = [part.detach().transpose(1, 2).flatten(0, 1)[at] for part in parts]
        for part in flat:
            part.requires_grad_()
        ways["varlen"] = lambda: back(varlen.varlen_attn(*flat, ends, ends, length, length), flat)
    return ways


def with_mps(bench: Bench) -> dict[str, Any]:
    """As `several`, the two processes under NVIDIA's Multi-Process Service."""
    if not CUDA or shutil.which(_MPS) is None:
        return {"not_here": "no GPU" if not CUDA else f"no {_MPS}"}
    with _service(bench.folder / "mps"):
        return several(bench)


@contextmanager
def _service(folder: Path) -> Iterator[None]:
    """Run a service of our own inside, which processes started inside find."""
    folder.mkdir(exist_ok=True)
    own = {"CUDA_MPS_PIPE_DIRECTORY": str(folder), "CUDA_MPS_LOG_DIRECTORY": str(folder)}
    subprocess.run([_MPS, "-d"], check=True, timeout=20, env={**os.environ, **own})
    os.environ.update(own)
    try:
        yield
    finally:
        for name in own:
            os.environ.pop(name)
        subprocess.run(
            [_MPS], input="quit\n", text=True, check=False, timeout=30, env={**os.environ, **own}
        )
