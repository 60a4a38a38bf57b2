"""Finished exhaustive sweeps as tables, read from Parquet: what strategies are judged on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from search.strategies.board import FloatArray, IntArray, Problem

_RESERVED = ("seed", "fold", "score")


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """A finished exhaustive sweep.

    Attributes:
        name: Of the table, for reports.
        axes: Names of the axes, as the columns of `problem.features`.
        problem: The configs; its blocks are those of all the table's seeds.
        seeds: The seeds, int (seeds,).
        scores: By config, seed and fold, float (configs, seeds, folds); nan where a cell failed.
    """

    name: str
    axes: tuple[str, ...]
    problem: Problem
    seeds: IntArray
    scores: FloatArray


def read_table(
    path: Path,
    *,
    mode: Literal["max", "min"] = "max",
    shape: Sequence[str] = (),
    floor: Mapping[str, Any] | None = None,
) -> ScoreTable:
    """A table from a Parquet file: columns seed, fold, score and one for each axis; a row a cell.

    Numbers are ordered by value; strings and booleans have no order; a null is an inert axis. A
    null score is a failed cell.

    Args:
        path: The file; its stem is the table's name.
        mode: Whether a high or a low score is good.
        shape: Axes that decide what can share a stack.
        floor: Axis values; the configs that have them get every block.

    Raises:
        ValueError: for a missing column, an axis that is not there, or a cell that is there twice.
    """
    import pyarrow.parquet as pq

    data = pq.read_table(path)
    columns = {name: data.column(name).to_pylist() for name in data.column_names}
    axes = tuple(name for name in columns if name not in _RESERVED)
    missing = [name for name in _RESERVED if name not in columns]
    missing += [name for name in (*shape, *(floor or {})) if name not in axes]
    if missing or not axes:
        raise ValueError(
            f"{path.name} must have the columns seed, fold, score and its axes; missing {missing}, "
            f"found {sorted(columns)}."
        )
    points = list(zip(*(columns[axis] for axis in axes), strict=True))
    twice = len(points) - len(set(zip(points, columns["seed"], columns["fold"], strict=True)))
    if twice:
        raise ValueError(f"{path.name} has {twice} cells more than once; keep one row a cell.")
    where = {config: i for i, config in enumerate(dict.fromkeys(points))}
    seeds, folds = sorted(set(columns["seed"])), sorted(set(columns["fold"]))
    scores = np.full((len(where), len(seeds), len(folds)), np.nan)
    rows = zip(points, columns["seed"], columns["fold"], columns["score"], strict=True)
    for point, seed, fold, score in rows:
        if score is not None:
            scores[where[point], seeds.index(seed), folds.index(fold)] = score
    problem = _problem(list(where), axes, len(seeds) * len(folds), mode, shape, floor)
    return ScoreTable(path.stem, axes, problem, np.array(seeds), scores)


def _problem(
    configs: list[tuple[Any, ...]],
    axes: tuple[str, ...],
    blocks: int,
    mode: Literal["max", "min"],
    shape: Sequence[str],
    floor: Mapping[str, Any] | None,
) -> Problem:
    def part(config: tuple[Any, ...], names: Sequence[str]) -> tuple[Any, ...]:
        return tuple(config[axes.index(name)] for name in names)

    groups = {key: i for i, key in enumerate(dict.fromkeys(part(c, shape) for c in configs))}
    columns = list(zip(*configs, strict=True))
    kept = () if floor is None else tuple(floor)
    return Problem(
        features=np.stack([_positions(column) for column in columns], axis=1),
        shapes=np.array([groups[part(config, shape)] for config in configs]),
        blocks=blocks,
        floor=tuple(
            i for i, c in enumerate(configs) if floor and part(c, kept) == tuple(floor.values())
        ),
        mode=mode,
        unordered=tuple(
            i for i, column in enumerate(columns) if any(isinstance(v, str | bool) for v in column)
        ),
    )


def _positions(values: Sequence[Any]) -> FloatArray:
    levels = sorted({value for value in values if value is not None})
    places = {value: float(i) for i, value in enumerate(levels)}
    return np.array([np.nan if value is None else places[value] for value in values])
