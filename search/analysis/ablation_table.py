"""Table of a paper's ablation: F1 per class and weighted F1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from search.arrays import IntArray
from trainables.metrics.f1 import class_f1
from trainables.metrics.weighted_f1 import weighted_f1

Predictions = tuple[IntArray, npt.NDArray[np.float32]]
"""Held-out rows (n,) and their class probabilities (n, classes), of one cell."""


@dataclass(frozen=True)
class AblationRow:
    """One config of an ablation.

    Attributes:
        name: Its name, as the paper's rows are called.
        f1: F1 of each class, mean over its cells, by class id; nan for a class that no cell holds.
        weighted: Weighted F1, mean over its cells.
        std: Standard deviation of the weighted F1 over its cells; None for one cell.
        cells: Number of cells.
        paper: The paper's F1 of each class and weighted F1; None where it has no such row.
    """

    name: str
    f1: tuple[float, ...]
    weighted: float
    std: float | None
    cells: int
    paper: tuple[float, ...] | None

    def to_json(self) -> dict[str, Any]:
        """A JSON value; nan as null."""
        return {
            "name": self.name,
            "f1": [None if np.isnan(value) else value for value in self.f1],
            "weighted_f1": self.weighted,
            "std": self.std,
            "cells": self.cells,
            "paper": None if self.paper is None else list(self.paper),
        }


def row(
    name: str,
    labels: IntArray,
    cells: Iterable[Predictions],
    paper: Sequence[float] | None = None,
) -> AblationRow:
    """A row from the out-of-fold predictions of a config's cells.

    Args:
        name: The config's name.
        labels: True classes of all rows of the data, (rows,).
        cells: Predictions of each of its cells.
        paper: The paper's numbers in the order of the classes, the weighted F1 last.

    Raises:
        ValueError: without a cell.
    """
    by_class: list[list[float]] = []
    weighted: list[float] = []
    for rows, probabilities in cells:
        own = class_f1(labels[rows], probabilities)
        there = set(labels[rows].tolist())
        classes = range(probabilities.shape[1])
        by_class.append([own[label] if label in there else np.nan for label in classes])
        weighted.append(weighted_f1(labels[rows], probabilities))
    if not weighted:
        raise ValueError(f"config {name!r} of an ablation has no finished cell.")
    values = np.array(by_class)
    scored = np.isfinite(values)
    sums = np.where(scored, values, 0.0).sum(axis=0)
    means = np.divide(sums, scored.sum(axis=0), out=np.full(len(sums), np.nan), where=scored.any(0))
    return AblationRow(
        name=name,
        f1=tuple(float(mean) for mean in means),
        weighted=float(np.mean(weighted)),
        std=float(np.std(weighted, ddof=1)) if len(weighted) > 1 else None,
        cells=len(weighted),
        paper=None if paper is None else tuple(paper),
    )


def paper_row(
    name: str,
    table: Mapping[str, Sequence[float]],
    paper_classes: Sequence[str],
    label_names: Sequence[str],
) -> tuple[float, ...] | None:
    """The paper's numbers for a config, in the data's class order.

    Args:
        name: Name of the config.
        table: The paper's rows: F1 of each class, then weighted F1.
        paper_classes: Classes in the order of the paper's columns.
        label_names: The data's classes; None is given where they are others.
    """
    if name not in table or set(paper_classes) != set(label_names):
        return None
    *own, final = table[name]
    by_class = dict(zip(paper_classes, own, strict=True))
    return (*(by_class[label] for label in label_names), final)


def as_markdown(rows: Sequence[AblationRow], label_names: Sequence[str]) -> str:
    """Format the table as the paper does; its numbers in brackets.

    Args:
        rows: In the paper's order.
        label_names: Class names by id.
    """
    head = ["Model", *label_names, "Final", "std", "cells"]
    lines = [head, ["---", *["--:"] * (len(head) - 1)]]
    for row in rows:
        values = [*row.f1, row.weighted]
        beside = [""] * len(values) if row.paper is None else [f" ({p:.4f})" for p in row.paper]
        numbers = [
            ("-" if np.isnan(value) else f"{value:.4f}") + paper
            for value, paper in zip(values, beside, strict=True)
        ]
        std = "-" if row.std is None else f"{row.std:.4f}"
        lines.append([row.name, *numbers, std, str(row.cells)])
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join(
        "| " + " | ".join(text.ljust(w) for text, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    )
