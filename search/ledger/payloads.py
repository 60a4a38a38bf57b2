"""Cells, configs and sweeps as JSON values, as the spool holds them."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from search.ledger.records import (
    CELL_TAGS,
    NOTE,
    LoggedCell,
    metric_names,
    param_values,
    redacted,
    tag_values,
)
from search.ledger.store import NewRun, Point
from trainables.engine.contract import Cell, CellResult, Scalar
from trainables.engine.keys import result_digest

Payload = Mapping[str, Any]

PREDICTIONS = "predictions.npz"
_MOST_INDENTED = 5_000  # configs


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A cell with its result.

    Attributes:
        cell: The cell.
        result: Its result.
        run_name: Short, readable name of its run.
        tags: Tags, at least those of `records.CELL_TAGS`.

    Raises:
        ValueError: if a tag is missing.
    """

    cell: Cell
    result: CellResult
    run_name: str
    tags: Mapping[str, str]

    def __post_init__(self) -> None:
        missing = [name for name in CELL_TAGS if name not in self.tags]
        if missing:
            raise ValueError(f"A cell's tags must hold {CELL_TAGS}, missing: {missing}.")


def now_ms() -> int:
    """Milliseconds since 1970."""
    return int(time.time() * 1000)


def of_cell(trained: Trained) -> Payload:
    """Everything that is written of a cell."""
    cell, result = trained.cell, trained.result
    extra = {"cell_key": cell.key, "status": result.status}
    if result.error:
        extra["error"] = result.error
    digest = result_digest(result)
    if digest is not None:
        extra["digest"] = digest
    return {
        "kind": "cell",
        "params": param_values({**cell.config, "seed": cell.seed, "fold": cell.fold}),
        "tags": tag_values({**trained.tags, **extra}),
        "run_name": trained.run_name,
        "result": result.to_json(),
        "ended_ms": now_ms(),
    }


def waiting_cell(payload: Payload) -> LoggedCell:
    """Turn a cell of the spool into one of the ledger."""
    metrics = payload["result"]["metrics"]
    names = metric_names(metrics)
    fitted = {names[name]: float(value) for name, value in metrics.items()}
    return LoggedCell.of(payload["tags"], payload["params"], fitted, None, int(payload["ended_ms"]))


def cell_start_ms(payload: Payload) -> int:
    """Start of a cell's training, by its own count of seconds."""
    seconds = float(payload["result"]["metrics"].get("seconds", 0.0))
    return int(payload["ended_ms"]) - int(1000 * max(seconds, 0.0) if np.isfinite(seconds) else 0)


def cell_points(payload: Payload) -> list[Point]:
    """Points of a cell's curves, by epoch or by training step.

    The final value of a name replaces the last epoch's, so that the latest point is the final one.
    """
    final, epochs = payload["result"]["metrics"], payload["result"]["epochs"]
    start, end, last = cell_start_ms(payload), int(payload["ended_ms"]), len(epochs)
    # An epoch's number is the step of its metrics: a chart of it would be a diagonal.
    epochs = [{name: v for name, v in epoch.items() if name != "epoch"} for epoch in epochs]
    names = metric_names(dict.fromkeys([*final, *(name for epoch in epochs for name in epoch)]))
    points = [
        (names[name], float(value), start + (end - start) * step // last, step)
        for step, epoch in enumerate(epochs, start=1)
        for name, value in epoch.items()
        if step < last or name not in final
    ]
    points += [(names[name], float(value), end, last) for name, value in final.items()]
    for name, curve in payload["result"].get("curves", {}).items():
        steps = curve[-1][0] if curve else 1
        points += [(name, v, start + (end - start) * step // steps, step) for step, v in curve]
    return points


def cell_files(payload: Payload) -> dict[str, bytes]:
    """File of a cell's out-of-fold predictions; none without predictions."""
    result = CellResult.from_json(payload["result"])
    if not len(result.rows):
        return {}
    buffer = io.BytesIO()
    np.savez(buffer, rows=result.rows, probabilities=result.probabilities)
    return {PREDICTIONS: buffer.getvalue()}


def cell_run(payload: Payload) -> NewRun:
    """Run of a cell."""
    tags = payload["tags"]
    return NewRun(
        name=payload["run_name"],
        tags=tags,
        params=payload["params"],
        points=cell_points(payload),
        status="FAILED" if tags["status"] == "failed" else "FINISHED",
        started_ms=cell_start_ms(payload),
        ended_ms=int(payload["ended_ms"]),
        files=cell_files(payload),
    )


def of_config(
    sweep_id: str,
    config_id: str,
    params: Mapping[str, Scalar],
    scores: Sequence[float],
    seconds: float,
    tags: Mapping[str, str],
    interval: tuple[float, float] | None,
    *,
    name: str,
    mean: float | None,
    note: str = "",
    more: Mapping[str, float] | None = None,
) -> Payload:
    """State of a config in a sweep."""
    metrics = {"cells": float(len(scores)), "seconds": float(seconds), **(more or {})}
    if len(scores) > 1:
        metrics["std"] = float(np.std(scores, ddof=1))
    if interval is not None:
        metrics["ci_low"], metrics["ci_high"] = map(float, interval)
    sums = accumulate(float(score) for score in scores)
    curve = [total / count for count, total in enumerate(sums, start=1)]
    if curve and mean is not None:
        moved = mean - curve[-1]
        curve[-1] = mean
        for end in ("ci_low", "ci_high"):
            if end in metrics:
                metrics[end] += moved
    return {
        "kind": "config",
        "name": name,
        "sweep": sweep_id,
        "config": config_id,
        "params": param_values(params),
        "metrics": metrics,
        "curve": curve,
        "tags": tag_values(
            {**tags, "sweep": sweep_id, "config": config_id, **({NOTE: note} if note else {})}
        ),
    }


def config_points(payload: Payload, known: int) -> list[Point]:
    """Points of a config after the `known` first steps.

    The mean has a point a step, other metrics one at the last step. The mean at the last step is
    always there: a cell may have come in before one that was counted.
    """
    curve, stamp = payload["curve"], now_ms()
    first = min(known + 1, len(curve)) if curve else 1
    points = [("mean", curve[step - 1], stamp, step) for step in range(first, len(curve) + 1)]
    return points + [(n, float(v), stamp, len(curve)) for n, v in payload["metrics"].items()]


def of_sweep_end(sweep_id: str, status: str, summary: Mapping[str, Any]) -> Payload:
    """End of a sweep, with its summary.

    The summary becomes a file; its numbers become metrics, its texts tags.
    """
    clean = redacted(summary)
    numbers = {k: float(v) for k, v in clean.items() if isinstance(v, int | float)}
    text = {k: v for k, v in clean.items() if isinstance(v, str)}
    winner = clean.get("winner")
    if isinstance(winner, Mapping):
        numbers |= {
            f"winner_{k}": float(v) for k, v in winner.items() if isinstance(v, int | float)
        }
        text |= {f"winner_{k}": json.dumps(v) for k, v in winner.items() if isinstance(v, Mapping)}
    # `data`, `model` and `space` are tags already, in short form.
    tags = {k: v for k, v in text.items() if k not in {"sweep", "space", "data", "model"}}
    if "answer" in text:
        tags[NOTE] = text["answer"]
    return {
        "kind": "sweep",
        "sweep": sweep_id,
        "status": status,
        "metrics": numbers,
        "tags": tag_values(tags),
        "files": encoded({"leaderboard.json": _document(clean)}),
        "ended_ms": now_ms(),
    }


def _document(summary: Mapping[str, Any]) -> str:
    """Sweep's summary as JSON.

    One of many configs is a single line, which is written ten times as fast.
    """
    large = len(summary.get("configs", ())) > _MOST_INDENTED
    return json.dumps(summary, indent=None if large else 2)


def sweep_points(payload: Payload) -> list[Point]:
    """Points of a sweep's summary."""
    names = metric_names(payload["metrics"])
    stamp = int(payload["ended_ms"])
    return [(names[name], float(value), stamp, 0) for name, value in payload["metrics"].items()]


def encoded(files: Mapping[str, str | bytes]) -> dict[str, str]:
    """Encode files by name as a JSON value."""
    return {
        name: base64.b64encode(data.encode() if isinstance(data, str) else data).decode()
        for name, data in files.items()
    }


def decoded(files: Mapping[str, str]) -> dict[str, bytes]:
    """Decode a value made by `encoded`."""
    return {name: base64.b64decode(data) for name, data in files.items()}
