"""Refuses configs that the model or the data cannot train."""

from __future__ import annotations

from collections.abc import Sequence

from trainables.engine import registry
from trainables.engine.cells import assembly
from trainables.engine.cells.trainable import Trainable
from trainables.engine.config import FineTuning, TrainingConfig
from trainables.engine.contract import Task
from trainables.engine.errors import ModelError
from trainables.engine.features.representation import MadeByModels, Representation, card_of
from trainables.engine.inputs import metadata_inputs
from trainables.engine.models import adapters, frozen_blocks, pretrained
from trainables.engine.splits import inner_validation
from trainables.engine.text_data import TextData


def check(task: Task, data: TextData, configs: Sequence[TrainingConfig]) -> None:
    """Refuse configs that the model or the data cannot train.

    Args:
        task: Task of the sweep.
        data: Data of the task.
        configs: Configs of the task's trainable.

    Raises:
        InputError: naming the fault, and the way out.
    """
    trainable = Trainable.load(task.trainable)
    if trainable.train is not None:
        return
    check_models(task, data, configs)
    check_blocks(task, configs)
    check_layers(task, configs)
    needs = {}
    for config in configs:
        with registry.plugin_rules("trainables", task.trainable):
            trainable.check_data(config, data)
        share, kind = trainable.inner_share(config), trainable.metadata(config)
        needs[share, kind, trainable.views(config)] = config
    for (share, kind, views_of_text), config in needs.items():
        if share:  # too few texts of a class are too few for every seed and fold
            inner_validation.apart(data, task.split, 0, 0, share)
        if kind is not None:
            metadata_inputs.table(data, kind)
        if views_of_text is not None:
            assembly.corpus(task, data, config)


def check_models(task: Task, data: TextData, configs: Sequence[TrainingConfig]) -> None:
    """Refuse models that the configs cannot be trained with.

    Args:
        task: Task of the sweep.
        data: Data of the task.
        configs: Configs of the task's trainable.

    Raises:
        ModelError: naming the model, the fault, and the way out.
    """
    trainable = Trainable.load(task.trainable)
    if trainable.train is not None:
        return
    distinct: dict[Representation | None, None] = {}
    for config in configs:
        if trainable.estimator(config) is not None:
            continue  # it reads texts as they are
        features = trainable.representation(config)
        distinct[features] = None
        if features is None:
            with registry.plugin_rules("trainables", task.trainable):
                trainable.check_models(config, data, task.model)
    for features in distinct:
        if features is None:
            if trainable.base is None:
                pretrained.check_encoder(task.model, data)
                check_rates(task, configs)
        elif isinstance(card := card_of(features.name), MadeByModels):
            card.check_models(data, task.model, features)


def check_rates(task: Task, configs: Sequence[TrainingConfig]) -> None:
    """Refuse configs with dropout rates that the model does not have.

    Raises:
        ModelError: naming the rate.
    """
    tuned = [config for config in configs if isinstance(config, FineTuning)]
    for config in {(c.hidden_dropout, c.attention_dropout): c for c in tuned}.values():
        assembly.encoder_of(task, config)


def check_layers(task: Task, configs: Sequence[TrainingConfig]) -> None:
    """Refuse settings of blocks that a model cannot have.

    Raises:
        ModelError: naming the setting.
    """
    tuned = [config for config in configs if isinstance(config, FineTuning)]
    decayed = any(config.layer_decay < 1 for config in tuned)
    twice = any(config.checkpointing for config in tuned)
    if Trainable.load(task.trainable).base is not None or not (decayed or twice):
        return
    network = pretrained.load_encoder(task.model)
    if decayed:
        try:
            frozen_blocks.blocks(network)
        except ModelError as error:
            raise ModelError(
                f"Model {task.model!r} has no list of blocks: leave layer_decay at 1."
            ) from error
    if twice and not network.supports_gradient_checkpointing:
        raise ModelError(
            f"Model {task.model!r} cannot compute its blocks twice: leave checkpointing out."
        )


def check_blocks(task: Task, configs: Sequence[TrainingConfig]) -> None:
    """Refuse configs that train blocks or adapters that the model cannot have.

    Raises:
        ConfigError: naming the number and the most allowed.
        ModelError: naming the layers that it has instead.
    """
    tuned = [config for config in configs if isinstance(config, FineTuning)]
    for config in {c.trainable_blocks: c for c in tuned}.values():
        frozen_blocks.trained_blocks(task.model, config)
    kinds = {(c.lora_rank, c.lora_targets, c.trainable_blocks): c for c in tuned if c.lora_rank}
    for config in kinds.values():
        adapters.check(pretrained.load_encoder(task.model), config, repr(task.model))
