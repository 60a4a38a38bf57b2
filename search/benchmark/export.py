"""A sweep's scores as a table; in Parquet, one for `bench-strategies`.

A row a cell: a column for each axis (null where it is inert), seed, fold, score, seconds. How the
table was made, and what a strategy must know of it, stand in the file's own metadata.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.benchmark.score_table import METADATA
from search.checks import refuse
from search.errors import InputError
from search.results.table_file import TABLE, write
from search.spec.arguments import recipe

if TYPE_CHECKING:
    from search.planning.plan import Plan
    from search.results.score_matrix import ScoreMatrix


def write_table(plan: Plan, table: ScoreMatrix, path: Path) -> int:
    """Write the cells of a sweep that have a score, or failed.

    Args:
        plan: The sweep.
        table: Its scores.
        path: The .parquet, .csv, .tsv or .jsonl to write; replaced as a whole.

    Returns:
        Rows written.

    Raises:
        InputError: if there is no cell to write, or the file cannot be written.
    """
    refuse(TABLE, "--out", path)
    axes = [axis.name for axis in plan.space.axes]
    columns: dict[str, list[Any]] = {
        name: [] for name in (*axes, "seed", "fold", "score", "seconds")
    }
    for index in range(len(plan.configs)):
        active = plan.axes_of(index)
        for block, (seed, fold) in enumerate(plan.blocks):
            score, seconds = table.scores[index, block], table.seconds[index, block]
            missing = math.isnan(score)
            if missing and (index, block) not in table.failures:
                continue  # never trained
            for name in axes:
                columns[name].append(active.get(name))
            columns["seed"].append(seed)
            columns["fold"].append(fold)
            columns["score"].append(None if missing else float(score))
            columns["seconds"].append(None if math.isnan(seconds) else round(float(seconds), 4))
    rows = len(columns["seed"])
    if not rows:
        raise InputError(f"Sweep {plan.spec.name!r} has no finished cell to export.")
    write(columns, path, {METADATA: json.dumps(_about(plan))})
    return rows


def _about(plan: Plan) -> dict[str, Any]:
    axes = {axis.name for axis in plan.space.axes}
    return {
        "recipe": recipe(plan.spec),
        "space": plan.spec.space,
        "trainable": plan.task.trainable,
        "version": plan.task.version,
        "data": Path(plan.spec.data.name).name,
        "data_fingerprint": plan.task.data_fingerprint,
        "model": Path(plan.spec.model).name,
        "model_fingerprint": plan.task.model_fingerprint,
        "objective": plan.space.objective,
        "mode": plan.space.mode,
        "fixed": {name: v for name, v in plan.configs[0].items() if name not in axes},
        "axes": {axis.name: list(axis.values) for axis in plan.space.axes},
        "shape": [name for name in plan.space.shape if name in axes],
        "floor": [plan.axes_of(index) for index in sorted(plan.names)],
    }
