"""A sweep's scores as a Parquet table: what `bench-strategies` replays, and any reader can open.

A row a cell: a column for each axis (null where it is inert), seed, fold, score, seconds. How the
table was made, and what a strategy must know of it, stand in the file's own metadata.
"""

from __future__ import annotations

import json
import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.benchmark.score_table import METADATA
from search.errors import InputError
from search.spec import SweepSpec

if TYPE_CHECKING:
    from search.planning.plan import Plan
    from search.results.score_matrix import ScoreMatrix


def recipe(spec: SweepSpec) -> str:
    """The command that makes a sweep's cells again; local paths by their names alone."""
    words = ["foldrace", "run", spec.space, "--data", Path(spec.data.name).name]
    for option, value in (
        ("--text", spec.data.text),
        ("--text-b", spec.data.text_b),
        ("--label", spec.data.label),
        ("--image", spec.data.image),
        ("--image-b", spec.data.image_b),
        ("--subset", spec.data.subset),
    ):
        words += [] if value is None else [option, str(value)]
    words += ["--bad-images", "drop"] if spec.data.bad_images == "drop" else []
    words += ["--drop-missing"] if spec.data.drop_missing else []
    for step in spec.data.cleaning:
        words += ["--clean", step]
    words += ["--metadata", ",".join(spec.data.metadata)] if spec.data.metadata else []
    words += ["--model", Path(spec.model).name, "--strategy", spec.strategy]
    words += ["--seeds", ",".join(map(str, spec.seeds))]
    if spec.folds is not None:
        words += ["--folds", str(spec.folds)]
    else:
        words += ["--holdout", str(spec.holdout)]
    for name, values in spec.set_axes.items():
        words += ["--set", f"{name}={','.join(map(str, values))}"]
    for name, fixed in spec.fix.items():
        words += ["--fix", f"{name}={fixed}"]
    words += [] if spec.configs == "all" else ["--configs", Path(spec.configs).name]
    margin = spec.budget.stop_margin
    limits: tuple[tuple[str, float | str | None], ...] = (
        ("--strategy-seed", spec.strategy_seed or None),
        ("--max-cells", spec.budget.max_cells),
        ("--max-hours", spec.budget.max_hours),
        ("--stop-margin", None if margin is None else round(100 * margin, 6)),
        ("--plugin", None if spec.plugin is None else Path(spec.plugin).name),
    )
    for option, limit in limits:
        words += [] if limit is None else [option, str(limit)]
    words += ["--nested"] if spec.nested else []
    return shlex.join(words)


def write_table(plan: Plan, table: ScoreMatrix, path: Path) -> int:
    """Write the cells of a sweep that have a score, or failed.

    Args:
        plan: The sweep.
        table: Its scores.
        path: The file to write; replaced as a whole.

    Returns:
        Rows written.

    Raises:
        InputError: if there is no cell to write, or no such folder.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

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
    if not path.parent.is_dir():
        raise InputError(f"There is no folder {str(path.parent)!r} to write {path.name} into.")
    given = pa.table(columns)
    types = {"seed": pa.int64(), "fold": pa.int16()}
    for name, kind in types.items():
        given = given.set_column(given.column_names.index(name), name, given[name].cast(kind))
    given = given.replace_schema_metadata({METADATA: json.dumps(_about(plan))})
    draft = path.with_name(path.name + ".draft")
    pq.write_table(given, draft, compression="zstd", compression_level=19)
    draft.replace(path)
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
