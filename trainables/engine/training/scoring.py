"""Scores of held-out rows, by every file of `trainables/metrics`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from trainables.engine import registry
from trainables.engine.arrays import Float32Array, IntArray, RealArray
from trainables.engine.errors import RegistryError

_METRICS = "trainables.metrics"
OF_THE_MACHINE = ("seconds", "peak_memory_mib", "parameters")
"""Metrics of a cell beside its predictions; low is good."""
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
    for name in registry.names(_METRICS):
        value = registry.load(_METRICS, name, "METRIC")(labels, probabilities)
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
    for file in registry.names(_METRICS):
        if name != file and not name.startswith(f"{file}_"):
            continue
        metric = registry.load(_METRICS, file, "METRIC")
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


def per_class(name: str) -> str | None:
    """Metric whose part for one class a name is."""
    for file in registry.names(_METRICS):
        if name.startswith(f"{file}_") and registry.defines(_METRICS, file, "PER_CLASS"):
            return file
    return None


def tells_one_number(name: str) -> bool:
    """Tell if a metric is one number for a cell."""
    return name in registry.names(_METRICS) and not registry.defines(_METRICS, name, "PER_CLASS")


def of_predictions(name: str) -> bool:
    """Tell if a metric is made of a cell's predictions."""
    return tells_one_number(name) or per_class(name) is not None


def metric_name(word: str) -> str:
    """Name of a metric as cells have it, from a typed one."""
    name = word.strip()
    plain = name.replace("-", "_")
    return plain if plain in (*registry.names(_METRICS), *OF_THE_MACHINE) else name


def low_is_good(name: str) -> bool:
    """Tell if a low value of a metric is the good one."""
    if name in registry.names(_METRICS):
        return registry.defines(_METRICS, name, "LOW_IS_GOOD")
    return name in OF_THE_MACHINE


def check_objective(name: str, label_names: Sequence[str] | None = None) -> str:
    """Return the name of a metric that can rank configs.

    Args:
        name: As it was typed.
        label_names: Class names by id; None where the data are not read yet.

    Raises:
        RegistryError: naming the nearest metric and all there are.
    """
    word = name.replace("-", "_")
    if tells_one_number(word) or word in OF_THE_MACHINE:
        return word
    file = per_class(name)
    if file is not None and (
        label_names is None or name[len(file) + 1 :] in class_keys(label_names)
    ):
        return name
    whole = [one for one in registry.names(_METRICS) if tells_one_number(one)]
    parts = [one for one in registry.names(_METRICS) if one not in whole]
    classes = "CLASS" if label_names is None else "|".join(class_keys(label_names)[:8])
    ofs = [f"{part}_{key}" for part in parts for key in class_keys(label_names or ())]
    near = registry.hint(word, [*whole, *OF_THE_MACHINE, *ofs])
    raise RegistryError(
        f"No metric {name!r} ranks configs.{near} Known: {', '.join([*whole, *OF_THE_MACHINE])}; "
        f"and of one class {', '.join(f'{part}_{classes}' for part in parts)}."
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
