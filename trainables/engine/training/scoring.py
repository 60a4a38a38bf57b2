"""Scores of held-out rows, by every file of `trainables/metrics`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from trainables.engine import registry
from trainables.engine.arrays import Float32Array, IntArray, RealArray
from trainables.engine.errors import RegistryError

# As the metric `loss`: an underflow must not make a loss infinite.
_LEAST = np.finfo(np.float32).eps


def score(
    labels: IntArray,
    probabilities: RealArray,
    label_names: Sequence[str],
) -> dict[str, float]:
    """Score the held-out rows by every metric.

    Args:
        labels: True class ids, (held_out,).
        probabilities: Class probabilities, (held_out, classes).
        label_names: Class names by id, (classes,).

    Returns:
        Scores as fractions, `loss` in nats. A metric that is one number is named after its file;
        one that is a number per class gives `<file>_<class>`, for example `f1_LOC`.

    Raises:
        ValueError: if shapes disagree, there are no rows, or a label is outside the classes.
    """
    _check(labels, probabilities, label_names)
    scores: dict[str, float] = {}
    for name in registry.names("trainables.metrics"):
        value = registry.load("trainables.metrics", name, "METRIC")(labels, probabilities)
        if isinstance(value, Mapping):
            keys = class_keys(label_names)
            scores.update({f"{name}_{keys[label]}": float(part) for label, part in value.items()})
        else:
            scores[name] = float(value)
    return scores


def class_keys(label_names: Sequence[str]) -> list[str]:
    """Turn class names into distinct parts of metric names, for any store.

    Letters, digits, blanks and `_ - . : /` stay, everything else becomes `_`; a name that thereby
    equals another gets its class id.
    """
    plain = [re.sub(r"[^\w\-.:/ ]", "_", name)[:100] for name in label_names]
    return [key if plain.count(key) == 1 else f"{key}_{number}" for number, key in enumerate(plain)]


def _check(
    labels: IntArray,
    probabilities: RealArray,
    label_names: Sequence[str],
) -> None:
    shape = (len(labels), len(label_names))
    if probabilities.shape != shape:
        raise ValueError(
            f"probabilities must have the shape (rows, classes) = {shape}, "
            f"got {probabilities.shape}."
        )
    if not len(labels):
        raise ValueError("A score needs at least 1 held-out row, got 0.")
    if labels.min() < 0 or labels.max() >= len(label_names):
        raise ValueError(
            f"Labels must be in [0, {len(label_names)}), got {labels.min()} to {labels.max()}."
        )


def metric_of(name: str, label_names: Sequence[str]) -> Callable[[IntArray, RealArray], float]:
    """Find the function behind one of `score`'s names.

    Args:
        name: Name from `score`: a metric's file, or `<file>_<class>`.
        label_names: Class names by id, (classes,).

    Raises:
        RegistryError: if no metric gives that name.
    """
    for file in registry.names("trainables.metrics"):
        if name != file and not name.startswith(f"{file}_"):
            continue
        metric = registry.load("trainables.metrics", file, "METRIC")
        if name == file:
            return lambda labels, probabilities: float(metric(labels, probabilities))
        keys = class_keys(label_names)
        rest = name.removeprefix(f"{file}_")
        if rest in keys:
            number = keys.index(rest)
            return lambda labels, probabilities: float(metric(labels, probabilities)[number])
    raise RegistryError(
        f"No metric gives {name!r}. Known: {', '.join(registry.names('trainables.metrics'))}, and "
        "those that are a number per class with _<class> behind."
    )


def few_scores(labels: list[IntArray], probabilities: list[Float32Array]) -> list[dict[str, float]]:
    """Loss, accuracy and macro F1 of many cells after an epoch.

    As `scoring.score` gives them, but for all cells at once: at a few milliseconds a cell the
    scores would take longer than the training.
    """
    sizes = np.array(list(map(len, labels)))
    classes = probabilities[0].shape[1]
    cell = np.repeat(np.arange(len(sizes)), sizes)
    true, stacked = np.concatenate(labels), np.concatenate(probabilities)
    predicted = stacked.argmax(axis=1)
    pairs = (cell * classes + true) * classes + predicted
    counts = np.bincount(pairs, minlength=len(sizes) * classes**2)
    counts = counts.reshape(len(sizes), classes, classes)
    right = np.einsum("mcc->mc", counts)
    either = counts.sum(axis=1) + counts.sum(axis=2)
    present = either > 0
    f1 = np.divide(2 * right, either, out=np.zeros(right.shape), where=present)
    likely = np.maximum(stacked[np.arange(len(true)), true].astype(float), _LEAST)
    losses = np.bincount(cell, -np.log(likely)) / sizes
    return [
        {
            "loss": float(losses[i]),
            "accuracy": float(right[i].sum() / sizes[i]),
            "macro_f1": float(f1[i].sum() / present[i].sum()),
        }
        for i in range(len(sizes))
    ]
