"""Configs check themselves: all fields out of range in one message."""

from __future__ import annotations

from collections.abc import Mapping


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
