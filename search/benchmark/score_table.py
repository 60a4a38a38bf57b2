"""Finished exhaustive sweeps as tables, read from Parquet."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from search.arrays import FloatArray, IntArray
from search.errors import InputError
from search.strategies.board import Problem

METADATA = b"foldrace"  # key of a table's own account of itself in its file
_RESERVED = ("seed", "fold", "score")
_MEASURED = ("seconds",)  # of a cell, and no axis


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """A finished exhaustive sweep.

    Attributes:
        name: Name of the table, for reports.
        axes: Names of the axes, as the columns of `problem.features`.
        problem: The configs; its blocks are those of all the table's seeds.
        seeds: The seeds, int (seeds,).
        scores: By config, seed and fold, float (configs, seeds, folds); nan where a cell failed.
        seconds: Time of each cell's training, likewise; None where the table does not say.
    """

    name: str
    axes: tuple[str, ...]
    problem: Problem
    seeds: IntArray
    scores: FloatArray
    seconds: FloatArray | None = None


def read_table(
    path: Path,
    *,
    mode: Literal["max", "min"] | None = None,
    shape: Sequence[str] | None = None,
    floor: Sequence[Mapping[str, Any]] | None = None,
) -> ScoreTable:
    """Read a table from a Parquet file, a row per cell.

    Its columns are seed, fold, score and one for each axis.

    Numbers are ordered by value; strings and booleans have no order; a null is an inert axis. A
    null score is a failed cell. `foldrace export` writes such files, with an account of themselves
    that stands in for arguments that are None.

    Args:
        path: The file; its stem is the table's name.
        mode: "max" where a high score is good, else "min".
        shape: Axes that decide what can share a stack (none).
        floor: Axis values of configs that get every block, one mapping for each (none).

    Raises:
        InputError: for a file that is no Parquet table, a missing column, an axis or a floor config
            that is not there, or a cell that is there twice.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        data = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read as a Parquet table: {error}") from error
    about = json.loads((data.schema.metadata or {}).get(METADATA, b"{}"))
    mode = about.get("mode", "max") if mode is None else mode
    shape = about.get("shape", ()) if shape is None else shape
    floor = about.get("floor", ()) if floor is None else floor
    columns = {name: data.column(name).to_pylist() for name in data.column_names}
    axes = tuple(name for name in columns if name not in _RESERVED + _MEASURED)
    missing = [name for name in _RESERVED if name not in columns]
    missing += [name for name in {*shape, *(n for one in floor for n in one)} if name not in axes]
    if missing or not axes:
        raise InputError(
            f"{path.name} must have the columns seed, fold, score and its axes; missing {missing}, "
            f"found {sorted(columns)}."
        )
    points = list(zip(*(columns[axis] for axis in axes), strict=True))
    twice = len(points) - len(set(zip(points, columns["seed"], columns["fold"], strict=True)))
    if twice:
        raise InputError(f"{path.name} has {twice} cells more than once; keep one row a cell.")
    where = {config: i for i, config in enumerate(dict.fromkeys(points))}
    seeds, folds = sorted(set(columns["seed"])), sorted(set(columns["fold"]))
    scores = np.full((len(where), len(seeds), len(folds)), np.nan)
    seconds = np.full(scores.shape, np.nan)
    took = columns.get("seconds", [None] * len(points))
    rows = zip(points, columns["seed"], columns["fold"], columns["score"], took, strict=True)
    for point, seed, fold, score, cell_seconds in rows:
        cell = where[point], seeds.index(seed), folds.index(fold)
        if score is not None:
            scores[cell] = score
        if cell_seconds is not None:
            seconds[cell] = cell_seconds
    levels = {name: about.get("axes", {}).get(name, columns[name]) for name in axes}
    problem = _problem(list(where), levels, len(seeds) * len(folds), mode, shape, floor)
    known = np.isfinite(seconds)
    if known.any():
        seconds[~known] = float(np.median(seconds[known]))
    timed = seconds if known.any() else None
    return ScoreTable(path.stem, axes, problem, np.array(seeds), scores, timed)


def _problem(
    configs: list[tuple[Any, ...]],
    levels: Mapping[str, Sequence[Any]],
    blocks: int,
    mode: Literal["max", "min"],
    shape: Sequence[str],
    floor: Sequence[Mapping[str, Any]],
) -> Problem:
    axes = tuple(levels)

    def part(config: tuple[Any, ...], names: Sequence[str]) -> tuple[Any, ...]:
        return tuple(config[axes.index(name)] for name in names)

    groups = {key: i for i, key in enumerate(dict.fromkeys(part(c, shape) for c in configs))}
    columns = list(zip(*configs, strict=True))
    # An axis that a floor config does not name is inert in it.
    where = {config: i for i, config in enumerate(configs)}
    floor_points = [tuple(one.get(name) for name in axes) for one in floor]
    absent = [one for one in floor_points if one not in where]
    if absent:
        raise InputError(f"floor must be configs of the table, {absent} are not; axes: {axes}.")
    return Problem(
        features=np.stack(
            [_positions(column, levels[axis]) for axis, column in zip(axes, columns, strict=True)],
            axis=1,
        ),
        shapes=np.array([groups[part(config, shape)] for config in configs]),
        blocks=blocks,
        floor=tuple(sorted({where[one] for one in floor_points})),
        mode=mode,
        unordered=tuple(
            i for i, column in enumerate(columns) if any(isinstance(v, str | bool) for v in column)
        ),
    )


def _positions(values: Sequence[Any], levels: Sequence[Any]) -> FloatArray:
    """Index of each value among an axis's levels; nan if none."""
    known = sorted({value for value in levels if value is not None})
    places = {value: float(i) for i, value in enumerate(known)}
    return np.array([places.get(value, np.nan) for value in values])
