"""Encoders tuned by a config, saved as Hugging Face folders."""

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
from trainables.engine.inputs.tokens import Tokens
from trainables.engine.models import adapters, frozen_blocks, pretrained, vocabulary
from trainables.engine.splits.inner_validation import NO_ROWS
from trainables.engine.text_data import TextData
from trainables.engine.training import loop
from trainables.engine.training.fit import fit

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def tune(task: Task, data: TextData, config: Mapping[str, Scalar], seed: int) -> PreTrainedModel:
    """Tune the task's encoder by a config on all rows.

    Args:
        task: Task of the sweep.
        data: Data of the task.
        config: Complete config.
        seed: Seed of init, order and dropout.

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
    task: Task, config: TrainingConfig, trained: PreTrainedModel, tokens: Tokens
) -> PreTrainedModel:
    """Complete a trained encoder with its frozen blocks or unused words.

    Args:
        task: Task of the cell.
        config: Config of the cell.
        trained: Encoder of the cell's module: its top blocks, or one with the data's words only.
        tokens: Inputs that it was trained on.
    """
    original = pretrained.load_encoder(task.model)
    if adapters.rank_of(config):
        trained = adapters.merged(trained)
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
        tuned: Encoder to save.
        model: Reference of the encoder it was tuned from, which has its tokenizer.
        folder: Folder to write, made if need be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tuned.save_pretrained(folder)
    pretrained.load_tokenizer(model).save_pretrained(folder)
