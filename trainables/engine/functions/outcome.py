"""A function's answer, checked and scored."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainables.engine.arrays import Float32Array, FloatArray
from trainables.engine.errors import ConfigError
from trainables.engine.functions.rows import Rows
from trainables.engine.text_data import TextData
from trainables.engine.training import scoring

# A row of probabilities sums to 1 but for what float16 rounds.
_SUM_TOLERANCE = 0.01


@dataclass(frozen=True, eq=False)
class Answer:
    """Predictions of the test rows and what they score.

    Attributes:
        metrics: Scores by name.
        probabilities: Class probabilities, float32 (rows, classes); of a target its predictions,
            (rows, 1); (0, 0) for a function that gives metrics alone.
    """

    metrics: Mapping[str, float]
    probabilities: Float32Array


def read(answer: Any, data: TextData, test: Rows, by: str = "train") -> Answer:
    """Check what a function returned, and score it.

    Args:
        answer: Probabilities (rows, classes), predicted classes (rows,), predicted numbers of a
            target (rows,), metrics by name, or a pair of predictions and metrics.
        data: The data.
        test: Rows that were to be predicted, with their labels.
        by: Name of the function that answered.

    Raises:
        ConfigError: naming what was returned, and what is allowed.
    """
    own: Mapping[str, Any] = {}
    if isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], Mapping):
        answer, own = answer
    if isinstance(answer, Mapping):
        return Answer(_metrics(answer, by), np.zeros((0, 0), np.float32))
    found = predictions(answer, data, test, by)
    if data.target is not None and test.target is not None:
        scores = regression(test.target, found[:, 0].astype(np.float64))
    else:
        scores = scoring.score(test.labels, found, data.label_names)
    return Answer({**scores, **_metrics(own, by)}, found)


def predictions(answer: Any, data: TextData, test: Rows, by: str = "train") -> Float32Array:
    """Return a function's predictions as float32 (rows, classes), or (rows, 1).

    Raises:
        ConfigError: as `read`.
    """
    rows, classes = len(test), len(data.label_names)
    wanted = f"({rows}, {classes})" if data.target is None else f"({rows},)"
    if answer is None:
        raise ConfigError(f"{by} returned nothing: it must return an array of shape {wanted}.")
    try:
        values = np.asarray(answer.detach().cpu() if hasattr(answer, "detach") else answer)
    except Exception as error:
        raise ConfigError(
            f"{by} returned a {type(answer).__name__} that is no array ({error}): it must return "
            f"an array of shape {wanted}, or metrics by name."
        ) from error
    if data.target is not None:
        return _numbers(values, rows, by)
    if values.ndim == 1 and len(values) == rows:
        return _one_hot(values, data, by)
    if values.shape != (rows, classes):
        raise ConfigError(_wrong_shape(values, test, classes, by))
    if values.dtype.kind not in "iufb":
        raise ConfigError(f"{by} returned values of type {values.dtype}, no probabilities.")
    numbers = values.astype(np.float32)
    if not np.isfinite(numbers).all():
        bad = ~np.isfinite(numbers).all(axis=1)
        raise ConfigError(
            f"{by} returned NaN or infinite probabilities in {int(bad.sum()):,} of {rows:,} rows, "
            f"the first of them row {int(np.flatnonzero(bad)[0])} of the test rows."
        )
    sums = numbers.sum(axis=1)
    if numbers.min() < -1e-6 or abs(sums - 1).max() > _SUM_TOLERANCE:
        worst = int(abs(sums - 1).argmax())
        raise ConfigError(
            f"{by} returned numbers that are no probabilities: row {worst} of the test rows has "
            f"{np.array2string(numbers[worst], precision=3, threshold=8)}, whose sum is "
            f"{sums[worst]:.3g}. Each row must be at least 0 and sum to 1; of scores, return "
            "softmax(scores), or the predicted classes as one column."
        )
    return numbers


def _numbers(values: Any, rows: int, by: str) -> Float32Array:
    values = values.reshape(-1) if values.shape == (rows, 1) else values
    if values.shape != (rows,) or values.dtype.kind not in "iufb":
        raise ConfigError(
            f"{by} returned an array of shape {values.shape} and type {values.dtype}: a target "
            f"wants one number for each of the {rows} test rows, shape ({rows},)."
        )
    numbers = values.astype(np.float32)
    if not np.isfinite(numbers).all():
        bad = int((~np.isfinite(numbers)).sum())
        raise ConfigError(f"{by} returned NaN or infinite numbers for {bad:,} of {rows:,} rows.")
    return np.asarray(numbers[:, None], np.float32)


def _one_hot(values: Any, data: TextData, by: str) -> Float32Array:
    """Return predicted classes as probabilities of 0 and 1."""
    classes = len(data.label_names)
    if values.dtype.kind == "f" and (values == np.floor(values)).all():
        values = values.astype(np.int64)
    if values.dtype.kind in "iub":
        ids = values.astype(np.int64)
        wrong = ids[(ids < 0) | (ids >= classes)]
        if len(wrong):
            raise ConfigError(
                f"{by} predicted the class {wrong[0]}; there are {classes} classes, 0 to "
                f"{classes - 1}."
            )
    else:
        number = {name: place for place, name in enumerate(data.label_names)}
        names = [str(value) for value in values.tolist()]
        unknown = next((name for name in names if name not in number), None)
        if unknown is not None:
            raise ConfigError(
                f"{by} predicted {unknown!r}, which is no class: {', '.join(data.label_names)}. "
                f"One column must hold classes, {classes} columns their probabilities."
            )
        ids = np.array([number[name] for name in names], np.int64)
    return np.asarray(np.eye(classes)[ids], np.float32)


def _wrong_shape(values: Any, test: Rows, classes: int, by: str) -> str:
    rows = len(test)
    said = f"{by} returned an array of shape {values.shape}; it must be ({rows}, {classes}): "
    if values.ndim == 2 and values.shape[0] == rows:
        return said + (
            f"a column for each of the {classes} classes, in the order of train.classes "
            f"({', '.join(test.classes[:6])}{' ...' if classes > 6 else ''})."
        )
    return said + f"a row for each of the {rows} test rows."


def _metrics(values: Mapping[Any, Any], by: str) -> dict[str, float]:
    found = {}
    for name, value in values.items():
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not isinstance(name, str) or not name.strip():
            raise ConfigError(f"{by} returned a metric called {name!r}: a name must be a text.")
        if not math.isfinite(number):
            raise ConfigError(f"{by} returned {name}={value!r}: a metric must be a finite number.")
        found[name] = number
    return found


def regression(target: FloatArray, predicted: FloatArray) -> dict[str, float]:
    """Score predicted numbers.

    Args:
        target: True numbers, (rows,).
        predicted: Predictions, (rows,).
    """
    errors = predicted - target
    spread = float(((target - target.mean()) ** 2).sum())
    return {
        "rmse": float(np.sqrt((errors**2).mean())),
        "mae": float(abs(errors).mean()),
        "median_absolute_error": float(np.median(abs(errors))),
        "r2": 1 - float((errors**2).sum()) / spread if spread else 0.0,
    }
