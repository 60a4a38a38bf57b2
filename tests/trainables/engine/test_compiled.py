"""`--compile`: what torch.compile is given can be traced, and gives the same numbers.

Its graphs are run as they are: to make a machine's code of them takes minutes, and is torch's own.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from transformers import BertConfig, BertModel

from trainables.engine import batches, seeding
from trainables.engine.inputs import TokenInputs
from trainables.engine.ragged import Column, Ragged
from trainables.engine.stack import StackedModule
from trainables.engine.stack_training import StackCell, StackTraining
from trainables.triple_entropy import Config, build

ROWS, CLASSES, WORDS, CELLS = 24, 3, 40, 2
CONFIG = Config(
    k=2,
    gamma=0.1,
    scale=3.3,
    margin=0.3,
    beta=0.5,
    merge_weight=0.0,
    padding_tokens=False,
    trainable_blocks=None,
    pooling="mean",
    learning_rate=1e-3,
    weight_decay=0.01,
    warmup_fraction=0.0,
    schedule="linear",
    batch_size=8,
    max_length=16,
    epochs=1,
    clip_norm=0.0,
    precision="fp32",
)


def training(compiled: bool) -> StackTraining:
    """A stack of BERTs of one block, without dropout, on texts of many lengths."""
    draw = np.random.default_rng(0)
    lengths = draw.integers(4, 16, size=ROWS)
    ids = torch.from_numpy(draw.integers(1, WORDS, size=int(lengths.sum())))
    labels = draw.integers(CLASSES, size=ROWS)
    rows = Ragged({"input_ids": Column(ids, 0)}, lengths)
    data = batches.Tokens(rows, np.arange(WORDS), lengths, labels)
    config = BertConfig(
        vocab_size=WORDS,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    cells = []
    for seed in range(CELLS):
        with seeding.drawing_from(seed, "init"):
            module = build(replace(CONFIG, gamma=0.1 + seed), BertModel(config), CLASSES)
        cells.append(StackCell(module, CONFIG, seed, np.arange(8, ROWS), np.arange(8)))
    return StackTraining(cells, TokenInputs(data), labels, compiled)


@pytest.mark.filterwarnings("default")  # torch compiles with its own deprecated parts
def test_a_compiled_stack_gives_the_losses_of_a_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def traced(self: nn.Module, **how: bool) -> None:
        calls.append(how)
        nn.Module.compile(self, backend="eager", **how)

    monkeypatch.setattr(StackedModule, "compile", traced)
    plain, compiled = training(compiled=False), training(compiled=True)
    assert calls == [{"dynamic": True}]
    np.testing.assert_allclose(compiled.epoch(0), plain.epoch(0), rtol=1e-4)
    for mine, other in zip(compiled.predict(), plain.predict(), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-5)
    torch._dynamo.reset()
