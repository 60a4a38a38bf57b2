"""Numbers of a config: finite, and not beyond reason."""

from __future__ import annotations

from typing import Any

import pytest

from spaces.projection import SPACE
from trainables.engine.cells.trainable import Trainable
from trainables.engine.config import check_shared
from trainables.engine.errors import ConfigError


def _bind(**fields: Any) -> object:
    config = {**SPACE.complete(SPACE.references["cross-entropy"]), **fields}
    return Trainable.load("projection").bind(config)


@pytest.mark.parametrize(
    ("name", "value", "answer"),
    [
        ("epochs", 10**9, "epochs at most 100,000, got 1000000000"),
        ("width", 99_999_999, "width at most 100,000, got 99999999"),
        ("batch_size", 10**7, "batch_size at most 1,000,000"),
        ("max_length", 10**7, "max_length at most 1,000,000"),
        ("learning_rate", 1e12, "learning_rate at most 1,000,000,000"),
        ("learning_rate", float("inf"), "learning_rate at most 1,000,000,000, got inf"),
        ("weight_decay", float("nan"), "weight_decay at most"),
        ("k", 10**7, "k at most 100,000"),
    ],
)
def test_numbers_beyond_reason(name: str, value: float, answer: str) -> None:
    with pytest.raises(ConfigError, match=answer):
        _bind(**{name: value})


def test_large_numbers_that_somebody_may_mean() -> None:
    for fields in ({"epochs": 100_000}, {"batch_size": 10**6}, {"learning_rate": 1000.0}):
        _bind(**fields)


@pytest.mark.parametrize(
    ("name", "value", "answer"),
    [
        ("schedule", "lineal", "schedule one of linear, cosine, constant, got 'lineal'"),
        ("epochs", 0, "epochs at least 1, got 0"),
        ("batch_size", -1, "batch_size at least 1, got -1"),
        ("learning_rate", -1e-5, "learning_rate above 0, got -1e-05"),
        ("warmup_fraction", 1.0, r"warmup_fraction in \[0, 1\), got 1.0"),
        ("label_smoothing", 1.5, r"label_smoothing in \[0, 1\), got 1.5"),
        ("lora_rank", -4, "lora_rank at least 0, got -4"),
        ("trainable_blocks", -1, "trainable_blocks at least 0, or none for all, got -1"),
        ("epochs", 10**9, "epochs at most 100,000, got 1000000000"),
    ],
)
def test_a_value_that_no_shared_field_takes(name: str, value: object, answer: str) -> None:
    with pytest.raises(ConfigError, match=answer):
        check_shared({name: value})


def test_values_that_some_trainable_takes() -> None:
    check_shared({"learning_rate": 0.0, "patience": 3, "accumulation": 4, "trainable_blocks": 0})
    check_shared({"trainable_blocks": None, "k": 0, "scale": -1.0, "checkpointing": True})
