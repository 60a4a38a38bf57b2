"""A confusion matrix as a picture, and as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]

_MOST_NUMBERED = 12  # of more classes the numbers would not be read


def matrix(labels: Rows, predicted: Rows, classes: int) -> Rows:
    """How often each class was taken for each: int64 (true classes, predicted classes).

    Args:
        labels: True class ids, (predictions,).
        predicted: Predicted class ids, (predictions,).
        classes: How many classes there are.

    Raises:
        ValueError: if the two differ in length, or an id is outside the classes.
    """
    if labels.shape != predicted.shape:
        raise ValueError(f"labels {labels.shape} and predictions {predicted.shape} must agree.")
    both = np.concatenate([labels, predicted])
    if len(both) and not 0 <= both.min() <= both.max() < classes:
        raise ValueError(f"class ids must be in [0, {classes}), got {both.min()} to {both.max()}.")
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, predicted), 1)
    return counts


def draw(counts: Rows, label_names: Sequence[str], title: str, path: Path) -> None:
    """Draw shares of each true class, darker for more, with the counts below them.

    Args:
        counts: Of `matrix`.
        label_names: Class names by id.
        title: Above the picture.
        path: Where to; its suffix names the format.

    Raises:
        ValueError: if there is not one name a class.
    """
    classes = len(label_names)
    if counts.shape != (classes, classes):
        raise ValueError(f"{classes} classes want a matrix of {classes}x{classes}: {counts.shape}.")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    side = min(2.4 + 0.75 * classes, 14.0)
    figure = Figure(figsize=(side + 0.8, side), layout="constrained", dpi=160)
    FigureCanvasAgg(figure)
    panel = figure.subplots()
    shown = panel.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    if classes <= _MOST_NUMBERED:
        for i in range(classes):
            for j in range(classes):
                panel.text(
                    j,
                    i,
                    f"{100 * shares[i, j]:.1f}%\n{counts[i, j]:,}",
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="white" if shares[i, j] > 0.55 else "black",
                )
    small = 9 if classes <= _MOST_NUMBERED else 6
    panel.set_xticks(range(classes), label_names, rotation=30, ha="right", fontsize=small)
    panel.set_yticks(range(classes), label_names, fontsize=small)
    panel.set_xlabel("predicted", fontsize=9)
    panel.set_ylabel("true", fontsize=9)
    panel.set_title(title, fontsize=10, loc="left")
    figure.colorbar(shown, ax=panel, shrink=0.8, label="share of the true class")
    figure.savefig(path)
