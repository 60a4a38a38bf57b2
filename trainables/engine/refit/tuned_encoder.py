"""An encoder that a config has tuned, whole again, as a Hugging Face folder."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trainables.engine.cells import assembly
from trainables.engine.cells.trainable import Trainable
from trainables.engine.config import TrainingConfig
from trainables.engine.contract import Scalar, Task
from trainables.engine.inputs import tokens as batches
from trainables.engine.models import frozen_blocks, pretrained, vocabulary
from trainables.engine.splits.inner_validation import NO_ROWS
from trainables.engine.text_data import TextData
from trainables.engine.training import loop
from trainables.engine.training.fit import fit

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def tune(task: Task, data: TextData, config: Mapping[str, Scalar], seed: int) -> PreTrainedModel:
    """Tune the task's encoder by a config on all rows.

    Args:
        task: What the sweep's cells share.
        data: Its data.
        config: Every field of the trainable's Config.
        seed: Drives init, order and dropout.

    Returns:
        The encoder with all its blocks and words, on the host.

    Raises:
        DivergedError: if training diverges.
    """
    bound = Trainable.load(task.trainable).bind(config)
    tokens = assembly.tokens(task, data, bound)
    module = assembly.module(task, data, bound, seed)
    cell = loop.CellData(tokens, np.arange(len(data)), NO_ROWS)
    tuned = fit(loop.Training(module, cell, bound, seed)).module
    return whole(task, bound, tuned.to("cpu").eval().encoder, tokens)


def whole(
    task: Task, config: TrainingConfig, trained: PreTrainedModel, tokens: batches.Tokens
) -> PreTrainedModel:
    """An encoder with all its blocks and words, from what a cell has trained of it.

    Args:
        task: What the sweep's cells share.
        config: The cell's Config.
        trained: The encoder of its module: the top blocks, or one with the words of the data alone.
        tokens: What it was trained on.
    """
    original = pretrained.load_encoder(task.model)
    count = frozen_blocks.trained_blocks(task.model, config)
    if count is None:
        vocabulary.put_back(trained, original, tokens.vocabulary)
        return trained
    full = copy.deepcopy(original)
    top = list(frozen_blocks.blocks(full))[-count:] if count else []
    for block, learnt in zip(top, frozen_blocks.blocks(trained), strict=True):
        block.load_state_dict(learnt.state_dict())
    return full


def save(tuned: PreTrainedModel, model: str, folder: Path) -> None:
    """Write an encoder and its tokenizer, so that `--model FOLDER` reads them.

    Args:
        tuned: The encoder.
        model: Reference of what it was tuned from, whose tokenizer it has.
        folder: Made if need be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tuned.save_pretrained(folder)
    pretrained.load_tokenizer(model).save_pretrained(folder)
