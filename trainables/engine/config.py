"""The fields that all Configs share, and how a Config checks itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from trainables.engine.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Hyper-parameters of the loop; a trainable's Config is a subclass with its own beside them.

    Attributes:
        learning_rate: Peak rate of AdamW.
        weight_decay: Of AdamW; none on biases and normalisation.
        warmup_fraction: Share of the steps that warm up linearly.
        schedule: "linear" or "cosine" decay after the warm-up.
        batch_size: Rows a step.
        max_length: Tokens a text at most, special ones counted.
        epochs: Passes over the training rows.
        clip_norm: Largest norm of the gradient; 0 clips nothing.
        precision: "fp32", "bf16" or "fp16" mixed precision.

    Raises:
        ConfigError: naming each field out of its range.
    """

    SCHEDULES: ClassVar[tuple[str, ...]] = ("linear", "cosine")
    PRECISIONS: ClassVar[tuple[str, ...]] = ("fp32", "bf16", "fp16")

    learning_rate: float
    weight_decay: float
    warmup_fraction: float
    schedule: str
    batch_size: int
    max_length: int
    epochs: int
    clip_norm: float
    precision: str

    def rules(self) -> dict[str, bool]:
        """Rule -> whether it holds. A rule starts with its field's name, as "epochs at least 1".

        A subclass returns its own and these, or these but for one that it replaces.
        """
        return {
            "learning_rate above 0": self.learning_rate > 0,
            "weight_decay at least 0": self.weight_decay >= 0,
            "warmup_fraction in [0, 1)": 0 <= self.warmup_fraction < 1,
            f"schedule one of {', '.join(self.SCHEDULES)}": self.schedule in self.SCHEDULES,
            "batch_size at least 1": self.batch_size >= 1,
            "max_length at least 3": self.max_length >= 3,
            "epochs at least 1": self.epochs >= 1,
            "clip_norm at least 0": self.clip_norm >= 0,
            f"precision one of {', '.join(self.PRECISIONS)}": self.precision in self.PRECISIONS,
        }

    def __post_init__(self) -> None:
        broken = [
            f"{rule}, got {getattr(self, rule.split()[0])!r}"
            for rule, holds in self.rules().items()
            if not holds
        ]
        if broken:
            trainable = type(self).__module__.rpartition(".")[2]
            article = "An" if trainable[0] in "aeiou" else "A"
            raise ConfigError(f"{article} {trainable} config must have {'; '.join(broken)}.")


@dataclass(frozen=True, kw_only=True)
class FineTuning(TrainingConfig):
    """Hyper-parameters of a trainable that trains the encoder, or the top of it.

    Attributes:
        trainable_blocks: How many of the encoder's blocks are trained, from the top; None for all,
            embeddings included. The states below them are computed once.
    """

    LEAST_BLOCKS: ClassVar[int] = 0

    trainable_blocks: int | None

    def rules(self) -> dict[str, bool]:
        """Those of `TrainingConfig` and of the blocks."""
        blocks = self.trainable_blocks is None or self.trainable_blocks >= self.LEAST_BLOCKS
        return {
            f"trainable_blocks at least {self.LEAST_BLOCKS}, or none for all": blocks,
            **super().rules(),
        }
