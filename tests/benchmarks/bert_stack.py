"""A stack of small BERTs on random tokens, plain or compiled: for a test and for its benchmark."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import torch
from transformers import BertConfig, BertModel

from spaces.softtriple import SPACE
from trainables.engine import seeding
from trainables.engine.cells.trainable import Trainable
from trainables.engine.contract import Scalar
from trainables.engine.inputs import tokens
from trainables.engine.inputs.ragged import Column, Ragged
from trainables.engine.inputs.stack_inputs import TokenInputs
from trainables.engine.stacking.cell import StackCell
from trainables.engine.stacking.trainer import StackTraining
from trainables.triple_entropy import Config, build

CLASSES, LENGTHS = 3, (4, 24)


def training(
    *, compiled: bool, cells: int, rows: int, words: int, width: int, layers: int, batch_size: int
) -> StackTraining:
    """A stack whose cells differ in gamma and seed.

    Args:
        compiled: See `StackTraining`.
        cells: Of the stack.
        rows: Texts, of many lengths; a sixth is held out.
        words: Of the vocabulary.
        width: Of the hidden states; two heads, four times as wide between.
        layers: Of the encoder.
        batch_size: Texts a step and cell.
    """
    start = {"k": 2, "gamma": 0.1, "scale": 3.3, "margin": 0.3, "beta": 0.5}
    changed: dict[str, Scalar] = {
        "pooling": "mean",
        "batch_size": batch_size,
        "epochs": 1,
        "learning_rate": 1e-4,
    }
    bound = Trainable.load("triple_entropy").bind({**SPACE.complete(start), **changed})
    settings = cast(Config, bound)
    draw = np.random.default_rng(0)
    lengths = draw.integers(*LENGTHS, size=rows)
    ids = torch.from_numpy(draw.integers(1, words, size=int(lengths.sum())))
    labels = draw.integers(CLASSES, size=rows)
    texts = Ragged({"input_ids": Column(ids, 0)}, lengths)
    data = tokens.Tokens(texts, np.arange(words), lengths, labels)
    config = BertConfig(
        vocab_size=words,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=4 * width,
    )
    held_out, train = np.split(np.arange(rows), [rows // 6])
    members = []
    for seed in range(cells):
        with seeding.drawing_from(seed, "init"):
            module = build(replace(settings, gamma=0.1 + seed), BertModel(config), CLASSES)
        members.append(StackCell(module, settings, seed, train, held_out))
    return StackTraining(members, TokenInputs(data), labels, compiled)
