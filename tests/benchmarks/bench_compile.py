"""What `--compile` does to a stack: the same numbers, the time of a step, the wait before it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from trainables.engine import batches, seeding
from trainables.engine.inputs import TokenInputs
from trainables.engine.ragged import Column, Ragged
from trainables.engine.stack_training import StackCell, StackTraining
from trainables.triple_entropy import Config, build

ROWS, CLASSES, WORDS, CELLS = 480, 6, 2_000, 8
CONFIG = Config(
    k=10,
    gamma=0.1,
    scale=3.3,
    margin=0.3,
    beta=0.5,
    merge_weight=0.0,
    padding_tokens=False,
    trainable_blocks=None,
    pooling="mean",
    learning_rate=1e-4,
    weight_decay=0.01,
    warmup_fraction=0.0,
    schedule="linear",
    batch_size=16,
    max_length=32,
    epochs=1,
    clip_norm=0.0,
    precision="fp32",
)


def training(compiled: bool) -> StackTraining:
    """A stack of BERTs of 2 layers, 128 wide, without dropout: its draws would differ."""
    draw = np.random.default_rng(0)
    lengths = draw.integers(6, 25, size=ROWS)
    ids = torch.from_numpy(draw.integers(5, WORDS, size=int(lengths.sum())))
    labels = draw.integers(CLASSES, size=ROWS)
    rows = Ragged({"input_ids": Column(ids, 0)}, lengths)
    data = batches.Tokens(rows, np.arange(WORDS), lengths, labels)
    config = BertConfig(
        vocab_size=WORDS,
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=512,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    cells = []
    for seed in range(CELLS):
        with seeding.drawing_from(seed, "init"):
            module = build(replace(CONFIG, gamma=0.1 + seed), BertModel(config), CLASSES)
        train, held_out = np.arange(80, ROWS), np.arange(80)
        cells.append(StackCell(module, CONFIG, seed, train, held_out))
    return StackTraining(cells, TokenInputs(data), labels, compiled)


@pytest.mark.filterwarnings("default")  # torch compiles with its own deprecated parts
def test_a_compiled_stack(record: Callable[..., None]) -> None:
    torch.set_num_threads(2)
    plain, compiled = training(compiled=False), training(compiled=True)
    began = time.perf_counter()
    first = compiled.epoch(0)
    wait = time.perf_counter() - began
    np.testing.assert_allclose(first, plain.epoch(0), rtol=1e-4)
    times: dict[str, list[float]] = {"plain": [], "compiled": []}
    for number in range(3):
        for name, stack in (("plain", plain), ("compiled", compiled)):
            began = time.perf_counter()
            stack.epoch(1 + number)
            times[name].append(time.perf_counter() - began)
    plain_s, compiled_s = (float(np.median(times[name])) for name in ("plain", "compiled"))
    record(
        "--compile",
        f"an epoch of {CELLS} small encoders in a stack, plain over compiled, after {wait:.0f} s "
        "of compiling",
        plain_s / compiled_s,
        plain_s=plain_s,
        compiled_s=compiled_s,
        compiling_s=wait,
    )
