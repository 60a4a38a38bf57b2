"""Confusion matrix of a config, counted and drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from search.arrays import IntArray
from search.report.figures.style import MAP, WIDTH, Picture, canvas, finish, wrapped

_WRITTEN = 12  # with more classes a cell has no room for its number
_UPRIGHT = 8  # characters of a name beyond which two names overlap
_NAME = 24  # letters of a class name that are shown


def count(labels: IntArray, predicted: IntArray, classes: int) -> IntArray:
    """Confusion matrix of held-out predictions, int64 (classes, classes).

    Rows are true classes, columns predicted ones.

    Args:
        labels: True class ids, (rows,).
        predicted: Predicted class ids, (rows,).
        classes: Number of classes.

    Raises:
        ValueError: if the two differ in length, or an id is outside the classes.
    """
    if labels.shape != predicted.shape:
        raise ValueError(f"labels {labels.shape} and predictions {predicted.shape} must agree.")
    both = np.concatenate([labels, predicted])
    if len(both) and not 0 <= both.min() <= both.max() < classes:
        raise ValueError(f"class ids must be in [0, {classes}), got {both.min()} to {both.max()}.")
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def draw(counts: Mapping[str, IntArray], names: Sequence[str]) -> Picture:
    """One panel a config: shares of each true class, by row.

    Args:
        counts: As `count` gives them, by the config's short name.
        names: Class names by id.
    """
    classes = len(names)
    side = float(np.clip(0.42 * classes + 1.3, 2.6, WIDTH))
    stacked = side > WIDTH / 2
    shape = (len(counts), 1) if stacked else (1, len(counts))
    short = [
        name if len(name) <= _NAME else f"{name[: _NAME - 1]}\N{HORIZONTAL ELLIPSIS}"
        for name in names
    ]
    # Names of classes and the title take room beside the panel and above it.
    room = 0.1 * max(map(len, short))
    width = WIDTH if len(counts) > 1 or stacked else min(WIDTH, 0.62 * WIDTH + 0.8 * room)
    figure, panels = canvas((side + 0.6 * room) * shape[0] + 0.2, *shape, width=width)
    image = None
    for panel, (title, matrix) in zip(panels, counts.items(), strict=True):
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        edges = np.arange(classes + 1) - 0.5
        image = panel.pcolormesh(edges, edges, shares, vmin=0, vmax=1, cmap=MAP)
        panel.invert_yaxis()
        panel.set_aspect("equal")
        panel.set_title(wrapped(title, max(30, int(11 * side))))
        panel.set_xlabel("predicted")
        panel.set_ylabel("true")
        ticks = range(classes)
        size = 9 if classes <= _WRITTEN else 6
        upright = classes > 3 or max(map(len, short)) > _UPRIGHT
        panel.set_xticks(ticks, short, rotation=90 if upright else 0, fontsize=size)
        panel.set_yticks(ticks, short, fontsize=size)
        if classes <= _WRITTEN:
            for i, row in enumerate(shares):
                for j, share in enumerate(row):
                    panel.text(
                        j,
                        i,
                        f"{100 * share:.0f}",
                        ha="center",
                        va="center",
                        fontsize=8.5,
                        color="white" if share < 0.55 else "black",
                    )
    if image is not None:
        figure.colorbar(image, ax=panels, shrink=0.8, label="share of the true class")
    worst = _worst(next(iter(counts.values())), names)
    return finish(
        figure,
        "confusion",
        "What is taken for what",
        "Held-out predictions of all cells, each by a model that never saw the row; a row adds up "
        f"to 100%. {worst}",
    )


def _worst(counts: IntArray, names: Sequence[str]) -> str:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    off = np.where(np.eye(len(names), dtype=bool), 0.0, shares)
    i, j = divmod(int(off.argmax()), len(names))
    if not off[i, j]:
        return "Nothing was mistaken."
    return f"Most often mistaken: {names[i]} for {names[j]}, {100 * off[i, j]:.1f}% of its rows."
