"""What a trainable says of its configs, beside `build`: its hooks.

Each is a function of the trainable's file, and may be left out:

    stack_key(config)         the Config with all that may differ within a stack set to one value:
                              equal for cells that can train as one batched model; without it they
                              train one after another
    representation(config)    frozen features: its cells are heads on these; None for a config
                              that trains what makes the features, too
    tokens(config, data, model), base(config, data, model)
                              what such a cell is fed, and what its module is built on, where that
                              is not texts' tokens and the model's encoder
    check_data(config, data)  refuses data that a config cannot be trained on
    ema_decay(config)         decay of the weights' moving average that is scored; without: none
    pooling(config)           "cls" or "mean": the classifier is linear on that vector of the
                              encoder, so that a winner can be saved; see finished.py
    map_fault(config)         why its classifier has no class activation map; None if it has one
    reads_with(config)        what reads each text by itself: "model" for the task's, or an alias,
                              hub id or folder; without it the task's model reads a row's texts
    tunes_encoder(config)     whether a sweep leaves a tuned encoder behind; see tuned.py
    inner_share(config)       share of a cell's training rows to choose the epoch on; 0: none
    metadata(config)          what is made of the data's metadata; None: they are left out
    views(config)             the views of a text that a training batch holds; without it the text
    read_out(config)          what makes probabilities of a module's outputs; without it they are
                              logits
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from trainables.engine import binding, registry
from trainables.engine.config import FineTuning
from trainables.engine.contract import Scalar, Task
from trainables.engine.models import frozen_blocks
from trainables.engine.models import pretrained as encoder


def trains_heads(trainable: str, config: Any = None) -> bool:
    """Whether a trainable's cells, or those of one Config of it, are heads on frozen features."""
    if not registry.defines("trainables", trainable, "representation"):
        return False
    if config is None:
        return True
    return registry.load("trainables", trainable, "representation")(config) is not None


def stack_key(trainable: str, config: Any) -> Hashable | None:
    """Equal for cells that may share a stack; None for cells that train alone."""
    if not registry.defines("trainables", trainable, "stack_key"):
        return None
    given = registry.load("trainables", trainable, "stack_key")(config)
    if given is None:
        return None
    # What the loop has a vector for, whatever the trainable.
    key: Hashable = dataclasses.replace(
        given, learning_rate=1.0, weight_decay=0.0, warmup_fraction=0.0, epochs=1, clip_norm=0.0
    )
    return key


def trained_blocks(task: Task, config: Any) -> int | None:
    """How many of the encoder's blocks are trained, where some are frozen.

    Raises:
        ValueError: if the encoder has fewer.
    """
    wanted = config.trainable_blocks if isinstance(config, FineTuning) else None
    if wanted is None:
        return None
    has = len(frozen_blocks.blocks(encoder.load_encoder(task.model)))
    if wanted > has:
        raise ValueError(
            f"trainable_blocks must be at most {has}, the blocks of model {task.model!r}, got "
            f"{wanted}."
        )
    return wanted if wanted < has else None


def asked(task: Task, hook: str, config: Any) -> Any:
    """What a trainable's hook says of a config; None where it has no such hook."""
    if not registry.defines("trainables", task.trainable, hook):
        return None
    return registry.load("trainables", task.trainable, hook)(config)


def check(task: Task, configs: Iterable[Mapping[str, Scalar]]) -> None:
    """Refuse configs that the model cannot be trained by, before anything is.

    Raises:
        ValueError: naming the value and what is allowed.
    """
    if issubclass(registry.load("trainables", task.trainable, "Config"), FineTuning):
        bound = (binding.bind(task.trainable, config) for config in configs)
        for config in {config.trainable_blocks: config for config in bound}.values():
            trained_blocks(task, config)
