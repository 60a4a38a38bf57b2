"""Tasks of the tests: data and model as a sweep would have fingerprinted them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trainables.engine import registry
from trainables.engine.contract import DataRef, Split, Task
from trainables.engine.datasets.load import load_data
from trainables.engine.models import pretrained


def task_of(trainable: str, model: Path, folds: int = 3, **data: Any) -> Task:
    """A trainable's task on data, by the fields of a `DataRef`."""
    ref = DataRef(**data)
    return Task(
        trainable=trainable,
        version=registry.load("trainables", trainable, "VERSION"),
        data=ref,
        data_fingerprint=load_data(ref).fingerprint,
        model=str(model),
        model_fingerprint=pretrained.model_fingerprint(str(model)),
        split=Split(folds=folds),
    )


def task_of_reviews(trainable: str, model: Path, reviews: Path) -> Task:
    """A trainable's task on the tests' own file of reviews."""
    return task_of(trainable, model, name=str(reviews), text="body", label="verdict")
