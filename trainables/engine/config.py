"""Fields that all Configs share, and the check of their values."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import UnionType
from typing import Any, ClassVar, Literal, cast, get_args, get_origin, get_type_hints

from trainables.engine.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Hyper-parameters of training, and the base class of every Config.

    Attributes:
        learning_rate: Peak rate of AdamW.
        weight_decay: Weight decay of AdamW; none on biases and normalisation.
        warmup_fraction: Share of the steps that warm up linearly.
        schedule: "linear" or "cosine" decay after the warm-up, or "constant" for none.
        batch_size: Number of rows a step.
        max_length: Largest number of tokens a text, special ones counted.
        epochs: Passes over the training rows.
        clip_norm: Largest norm of the gradient; 0 clips nothing.
        precision: "fp32", "bf16" or "fp16" mixed precision.
        inner_share: Share of a cell's training rows that is kept apart to choose the epoch on, by
            accuracy per class; 0 takes the last epoch.
        patience: Epochs in a row without a better accuracy on these rows after which a cell ends; 0
            trains all. The schedule stays that of all epochs.

    Raises:
        ConfigError: naming each field out of its range, or beyond reason.
    """

    SCHEDULES: ClassVar[tuple[str, ...]] = ("linear", "cosine", "constant")
    PRECISIONS: ClassVar[tuple[str, ...]] = ("fp32", "bf16", "fp16")
    LARGEST: ClassVar[int] = 10**9
    MOST: ClassVar[Mapping[str, int]] = {
        "epochs": 100_000,
        "batch_size": 1_000_000,
        "max_length": 1_000_000,
        "width": 100_000,
        "attention_dim": 100_000,
        "head_layers": 1_000,
        "k": 100_000,
    }

    learning_rate: float
    weight_decay: float
    warmup_fraction: float
    schedule: str
    batch_size: int
    max_length: int
    epochs: int
    clip_norm: float
    precision: str
    inner_share: float = 0.0
    patience: int = 0

    def rules(self) -> dict[str, bool]:
        """Return each rule, and True where it holds.

        A rule starts with its field's name, as "epochs at least 1". A subclass returns its own
        rules and these; it may replace one.
        """
        return {
            "learning_rate above 0": self.learning_rate > 0,
            "weight_decay at least 0": self.weight_decay >= 0,
            "warmup_fraction in [0, 1)": 0 <= self.warmup_fraction < 1,
            f"schedule one of {', '.join(self.SCHEDULES)}": self.schedule in self.SCHEDULES,
            "batch_size at least 1": self.batch_size >= 1,
            "max_length at least 3": self.max_length >= 3,
            "epochs at least 1": self.epochs >= 1,
            **self._beyond_reason(),
            "clip_norm at least 0": self.clip_norm >= 0,
            f"precision one of {', '.join(self.PRECISIONS)}": self.precision in self.PRECISIONS,
            "inner_share in [0, 1)": 0 <= self.inner_share < 1,
            "patience at least 0": self.patience >= 0,
            "patience 0 where inner_share is 0, which keeps no rows apart": (
                self.patience <= 0 or self.inner_share > 0
            ),
        }

    def _beyond_reason(self) -> dict[str, bool]:
        """Return the rules that numbers break which are slips of the finger."""
        numbers = {
            field.name: value
            for field in dataclasses.fields(self)
            if isinstance(value := getattr(self, field.name), int | float)
        }
        most = {name: self.MOST.get(name, self.LARGEST) for name in numbers}
        return {
            f"{name} at most {most[name]:,}": False
            for name, value in numbers.items()
            if not abs(value) <= most[name]  # nor is NaN
        }

    def broken(self) -> list[str]:
        """Return each broken rule with the value that breaks it."""
        return [
            f"{rule}, got {getattr(self, rule.split()[0])!r}"
            for rule, holds in self.rules().items()
            if not holds
        ]

    def __post_init__(self) -> None:
        broken = self.broken()
        if broken:
            trainable = type(self).__module__.rpartition(".")[2]
            article = "An" if trainable[0] in "aeiou" else "A"
            raise ConfigError(f"{article} {trainable} config must have {'; '.join(broken)}.")


_TYPES = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


@lru_cache(maxsize=64)
def _types(config: Hashable) -> dict[str, frozenset[type]]:
    """Return the types of each field's values, for fields of scalars."""
    found = {}
    for name, hint in get_type_hints(cast(type, config)).items():
        kinds: set[object] = set()
        for part in get_args(hint) if isinstance(hint, UnionType) else (hint,):
            literal = get_origin(part) is Literal
            kinds.update(map(type, get_args(part)) if literal else [part])
        if kinds <= {*_TYPES, type(None)}:
            found[name] = frozenset(kind for kind in kinds if isinstance(kind, type))
    return found


def check_types(trainable: str, config: type[TrainingConfig], values: Mapping[str, Any]) -> None:
    """Refuse values of another type than their fields are declared with.

    A number without a fraction is a whole one.

    Raises:
        ConfigError: naming each, and what it must be.
    """
    try:
        types = _types(cast(Hashable, config))
    except NameError:  # a plugin's annotation that only its type checker knows
        return
    broken = []
    for name, value in values.items():
        kinds = types.get(name)
        if kinds is None or type(value) in kinds:
            continue
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and (float in kinds or (int in kinds and value == int(value))):
            continue
        words = [word for kind, word in _TYPES.items() if kind in kinds]
        words += ["none"] if type(None) in kinds else []
        broken.append(f"{name} {' or '.join(words)}, got {value!r}")
    if broken:
        article = "An" if trainable[0] in "aeiou" else "A"
        raise ConfigError(f"{article} {trainable} config must have {'; '.join(broken)}.")


@dataclass(frozen=True, kw_only=True)
class FineTuning(TrainingConfig):
    """Hyper-parameters of trainables that train the encoder, or its top.

    Attributes:
        trainable_blocks: Number of the encoder's blocks that are trained, from the top; None for
            all, embeddings included. The states below them are computed once.
        hidden_dropout: Share of hidden values that the encoder drops in training; none for its own.
        attention_dropout: Share of attention's weights that it drops; none for its own.
        layer_decay: Factor of the learning rate from block to block downwards: the classifier has
            the whole rate, the top block this times it, the embeddings the smallest; 1 is one rate.
        accumulation: Parts that a step's batch is trained in, one after another, for a smaller
            memory; `batch_size` stays the rows of a step. A mean over tokens or weighted rows is
            taken part by part. Such cells train alone.
        checkpointing: Compute the encoder's blocks once more in the backward pass instead of
            keeping what they computed, for a smaller memory. Such cells train alone.
        lora_rank: Rank of adapters that are trained in place of the encoder's weights; 0 trains
            these.
        lora_alpha: Scale of the adapters: LoRA's alpha over the rank.
        lora_dropout: Share of an adapter's input that is dropped in training.
        lora_targets: Layers of a block with an adapter: "query-value", "attention" or "all-linear".
        lora_rank_stabilised: Scale the adapters by the square root of the rank, too.
    """

    LEAST_BLOCKS: ClassVar[int] = 0
    # Losses that compare the rows of a batch cannot be had of its parts.
    SPLITS_BATCHES: ClassVar[bool] = True
    LORA_TARGETS: ClassVar[tuple[str, ...]] = ("query-value", "attention", "all-linear")

    trainable_blocks: int | None
    hidden_dropout: float | None = None
    attention_dropout: float | None = None
    layer_decay: float = 1.0
    accumulation: int = 1
    checkpointing: bool = False
    lora_rank: int = 0
    lora_alpha: float = 1.0
    lora_dropout: float = 0.0
    lora_targets: str = "query-value"
    lora_rank_stabilised: bool = False

    def rules(self) -> dict[str, bool]:
        """Return the rules of `TrainingConfig` and of the blocks."""
        blocks = self.trainable_blocks is None or self.trainable_blocks >= self.LEAST_BLOCKS
        return {
            f"trainable_blocks at least {self.LEAST_BLOCKS}, or none for all": blocks,
            "hidden_dropout in [0, 1), or none for its own": _is_rate(self.hidden_dropout),
            "attention_dropout in [0, 1), or none for its own": _is_rate(self.attention_dropout),
            "layer_decay in (0, 1]": 0 < self.layer_decay <= 1,
            "accumulation at least 1": self.accumulation >= 1,
            "accumulation 1, since its loss compares all rows of a batch": (
                self.accumulation <= 1 or self.SPLITS_BATCHES
            ),
            "lora_rank at least 0": self.lora_rank >= 0,
            "lora_alpha above 0": self.lora_alpha > 0,
            "lora_dropout in [0, 1)": _is_rate(self.lora_dropout),
            f"lora_targets one of {', '.join(self.LORA_TARGETS)}": self.lora_targets
            in self.LORA_TARGETS,
            **super().rules(),
        }


@dataclass(frozen=True, kw_only=True)
class ClassifierTuning(FineTuning):
    """Hyper-parameters of an encoder with a linear classifier on one vector.

    Attributes:
        pooling: Vector of a text: "cls", the first token's; "mean", over real tokens; "pooler", the
            first token's behind a dense layer with an activation, as in transformers' own class.
        head_dropout: Share of that vector that is dropped in training, and of the one before a
            pooler; none for the encoder's own rate.
        class_weights: Weight of a row in cross-entropy: "none", all alike; "balanced", rows /
            (classes x rows of its class), over the rows trained on.
        label_smoothing: Share of the target that cross-entropy spreads over all classes.
    """

    POOLINGS: ClassVar[tuple[str, ...]] = ("cls", "mean", "pooler")
    WEIGHTS: ClassVar[tuple[str, ...]] = ("none", "balanced")

    pooling: str
    head_dropout: float | None = None
    class_weights: str = "none"
    label_smoothing: float = 0.0

    def rules(self) -> dict[str, bool]:
        """Return the rules of `FineTuning`, the pooling and the head."""
        return {
            f"pooling one of {', '.join(self.POOLINGS)}": self.pooling in self.POOLINGS,
            "head_dropout in [0, 1), or none for the encoder's": _is_rate(self.head_dropout),
            f"class_weights one of {', '.join(self.WEIGHTS)}": self.class_weights in self.WEIGHTS,
            "label_smoothing in [0, 1)": 0 <= self.label_smoothing < 1,
            **super().rules(),
        }


CHOICES: Mapping[str, tuple[str, ...]] = {
    "schedule": TrainingConfig.SCHEDULES,
    "precision": TrainingConfig.PRECISIONS,
    "lora_targets": FineTuning.LORA_TARGETS,
    "pooling": ClassifierTuning.POOLINGS,
    "class_weights": ClassifierTuning.WEIGHTS,
}
"""Values of shared fields that are words; a trainable of ours may take fewer."""


def check_shared(values: Mapping[str, Any]) -> None:
    """Refuse values that no shared field takes, before a trainable is imported.

    Raises:
        ConfigError: naming each, and what it may be.
    """
    faults = [fault for name, value in values.items() for fault in _shared_faults(name, value)]
    if faults:
        raise ConfigError(f"A config must have {'; '.join(faults)}.")


def _shared_faults(name: str, value: Any) -> list[str]:
    if name in CHOICES:
        fits = not isinstance(value, str) or value in CHOICES[name]
        return [] if fits else [f"{name} one of {', '.join(CHOICES[name])}, got {value!r}"]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not hasattr(_SOUND, name) or (name, value) in _SOME_TAKE:
        return []
    probe = copy.copy(_SOUND)
    object.__setattr__(probe, name, value)  # past __post_init__, which raises for one trainable
    return probe.broken()


def _is_rate(share: float | None) -> bool:
    return share is None or 0 <= share < 1


# All rules are asked of one config that breaks none; a value of another field changes no answer.
_SOUND = ClassifierTuning(
    learning_rate=1e-5,
    weight_decay=0.0,
    warmup_fraction=0.0,
    schedule="linear",
    batch_size=16,
    max_length=128,
    epochs=1,
    clip_norm=1.0,
    precision="fp32",
    inner_share=0.5,
    trainable_blocks=None,
    pooling="mean",
)
# Mirror-BERT's learning rate 0 is the encoder as it was.
_SOME_TAKE = (("learning_rate", 0.0),)
