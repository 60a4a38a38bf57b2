"""Confusion matrix of a config, counted and drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from search.arrays import IntArray
from search.report.figures.style import MAP, WIDTH, Picture, canvas, finish, wrapped

_WRITTEN = 12  # with more classes a cell has no room for its number
_UPRIGHT = 8  # characters of a name beyond which two names overlap
_MOST_NAMED = 40  # names along a side
_BESIDE = 6  # classes of two panels in one row
_BAR = 0.95  # inches of the colour bar with its numbers
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
    short = [
        name if len(name) <= _NAME else f"{name[: _NAME - 1]}\N{HORIZONTAL ELLIPSIS}"
        for name in names
    ]
    ticks = range(0, classes, -(-classes // _MOST_NAMED))
    size = 9.0 if classes <= _WRITTEN else 6.0
    upright = classes > 3 or max(map(len, short)) > _UPRIGHT
    # Names of classes take room beside a panel and below it, the title above it.
    room = 0.0095 * size * max(map(len, short))
    beside, below = 0.7 + room, 0.75 + (room if upright else 0.0)
    side = float(np.clip(0.42 * classes, 1.6, WIDTH))
    columns = len(counts)
    if side > (WIDTH - _BAR) / columns - beside:
        columns = columns if classes <= _BESIDE else 1
        side = (WIDTH - _BAR) / columns - beside
    shape = (len(counts) // columns, columns)
    width = min(WIDTH, columns * (side + beside) + _BAR)
    figure, panels = canvas((side + below) * shape[0], *shape, width=width)
    image = None
    for panel, (title, matrix) in zip(panels, counts.items(), strict=True):
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        edges = np.arange(classes + 1) - 0.5
        # Each cell of a vector drawing takes 200 bytes: many are an image.
        many = classes > _WRITTEN
        image = panel.pcolormesh(edges, edges, shares, vmin=0, vmax=1, cmap=MAP, rasterized=many)
        panel.invert_yaxis()
        panel.set_aspect("equal")
        panel.set_title(wrapped(title, max(30, int(11 * side))))
        panel.set_xlabel("predicted")
        panel.set_ylabel("true")
        named = [short[at] for at in ticks]
        panel.set_xticks(ticks, named, rotation=90 if upright else 0, fontsize=size)
        panel.set_yticks(ticks, named, fontsize=size)
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
        for beside_it in panels if columns == 1 else [panels]:
            figure.colorbar(image, ax=beside_it, label="share of the true class")
    worst = _worst(next(iter(counts.values())), names)
    if len(ticks) < classes:
        worst += f" Every {ticks.step}th class is named."
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
