"""Configs check themselves: all fields out of range in one message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainables.engine.loop import Settings


def check(trainable: str, config: object, rules: Mapping[str, bool]) -> None:
    """Refuse a config that breaks a rule.

    Args:
        trainable: Whose config it is.
        config: The config.
        rules: Rule -> whether it holds; a rule starts with its field's name, as "k at least 1".

    Raises:
        ValueError: naming each broken rule and the value found.
    """
    broken = [
        f"{rule}, got {getattr(config, rule.split()[0])!r}"
        for rule, holds in rules.items()
        if not holds
    ]
    if broken:
        article = "An" if trainable[0] in "aeiou" else "A"
        raise ValueError(f"{article} {trainable} config must have {'; '.join(broken)}.")


def training(config: Settings, schedules: Sequence[str]) -> dict[str, bool]:
    """The rules of what every trainable is trained by, for `check`.

    Args:
        config: A config with the loop's settings.
        schedules: Names that its schedule may have.
    """
    return {
        "weight_decay at least 0": config.weight_decay >= 0,
        "warmup_fraction in [0, 1)": 0 <= config.warmup_fraction < 1,
        f"schedule one of {', '.join(schedules)}": config.schedule in schedules,
        "batch_size at least 1": config.batch_size >= 1,
        "epochs at least 1": config.epochs >= 1,
        "clip_norm at least 0": config.clip_norm >= 0,
    }
