"""Texts as rows of a user's own function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from trainables.engine.arrays import Float32Array
from trainables.engine.cells.trainable import Trainable
from trainables.engine.contract import DataRef, Scalar, Task
from trainables.engine.errors import ConfigError
from trainables.engine.functions import cells
from trainables.engine.functions.kept_model import Columns
from trainables.engine.text_data import TextData, assemble


def probabilities(
    task: Task,
    data: TextData,
    config: Mapping[str, Scalar],
    seed: int,
    texts: Sequence[str],
    texts_b: Sequence[str] | None,
) -> Float32Array:
    """Train a user's function on all rows, and predict texts.

    Columns beside the texts are missing, as in a row that is typed.

    Args:
        task: Task of the sweep.
        data: Data of the task.
        config: Complete config.
        seed: Seed that the function gets.
        texts: Texts to predict.
        texts_b: Second texts of pairs.

    Raises:
        ConfigError: if the function raises, or gives no probabilities.
    """
    function = Trainable.load(task.trainable).train
    if function is None:
        raise ConfigError(f"{task.trainable} is no training function.")
    rows = _rows(task.data, data, texts, texts_b)
    return cells.probabilities(task, function, data, config, seed, rows)


def _rows(
    ref: DataRef, data: TextData, texts: Sequence[str], texts_b: Sequence[str] | None
) -> TextData:
    import pandas as pd

    frame = None
    if data.frame is not None:
        columns = Columns.of(data, ref)
        given = {columns.text: list(texts), columns.text_b: None if texts_b is None else texts_b}
        frame = pd.DataFrame(
            {
                name: given[name]
                if given.get(name) is not None
                else np.full(len(texts), np.nan)
                if kind in ("whole", "number")
                else pd.Series([None] * len(texts), dtype=object)
                for name, kind in columns.kinds.items()
            },
            columns=list(columns.kinds),
        )
    return assemble(
        name=f"{len(texts):,} texts",
        texts=texts,
        texts_b=texts_b,
        labels=np.zeros(len(texts), np.int64),
        label_names=data.label_names,
        official=None,
        frame=frame,
        answer=data.answer,
        tabular=data.tabular,
    )


def fault(trainable: str, data: TextData) -> str | None:
    """Reason why a function's rows have no words to attribute.

    Args:
        trainable: Name of the trainable.
        data: Data of the sweep.
    """
    if Trainable.load(trainable).train is None:
        return None
    if data.target is not None:
        return "predicts a number, and words are attributed to classes"
    if data.tabular:
        return "has rows of numbers and words, no texts whose words could be erased"
    return None


def notes(trainable: str, data: TextData) -> list[str]:
    """Return what a reader of attributions should know of a function's rows."""
    if Trainable.load(trainable).train is None or data.frame is None:
        return []
    others = len(data.frame.columns) - (2 if data.texts_b is None else 3)
    if not others:
        return []
    return ["the function was given texts alone: what it reads in other columns was missing"]
