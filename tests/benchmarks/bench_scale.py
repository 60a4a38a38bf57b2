"""Where the controller, the ledger and the disk bend: cells of 10 ms through the whole path.

FOLDRACE_SCALE_CELLS=100000 is the run of search/scale.md; 2,000 without it.
"""

from __future__ import annotations

import csv
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from search import make_spec, run
from search.planning.plan import Plan
from search.results.score_matrix import ScoreMatrix
from search.sweep.callback import Callback
from trainables.engine.contract import CellResult, DataRef

CELLS = int(os.environ.get("FOLDRACE_SCALE_CELLS", "2000"))
PLUGIN = Path(__file__).with_name("fake_cells.py")
pytestmark = pytest.mark.filterwarnings("default")


class Meter(Callback):
    """Time, memory and disk after each so many cells."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._me = psutil.Process()
        self._next = 1
        self.seen = 0
        self.rows: list[dict[str, float]] = []
        self.began = time.perf_counter()

    def on_workers(self, slots: int, running: object) -> None:
        self.began = time.perf_counter()

    def on_cell(
        self, plan: Plan, table: ScoreMatrix, pair: tuple[int, int], result: CellResult
    ) -> None:
        self.seen += 1
        if self.seen >= self._next:
            self._next = self.seen + max(500, CELLS // 50)
            self.note()

    def note(self) -> None:
        database = self._folder / "mlflow.db"
        spool = self._folder / ".foldrace" / "spool"
        row = {
            "cells": self.seen,
            "seconds": time.perf_counter() - self.began,
            "cpu_s": self._me.cpu_times().user + self._me.cpu_times().system,
            "rss_mib": self._me.memory_info().rss / 2**20,
            "database_mib": database.stat().st_size / 2**20,
            "spooled_files": sum(1 for _ in spool.rglob("*.json")) if spool.exists() else 0,
        }
        self.rows.append(row)
        print(json.dumps({name: round(value, 1) for name, value in row.items()}), file=sys.stderr)


def test_cells_of_ten_milliseconds(
    record: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    from throughput import random_encoder
    from transformers import BertConfig

    monkeypatch.chdir(tmp_path)
    texts = [f"text number {n}" for n in range(200)]
    data = tmp_path / "data.csv"
    with data.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        rows.writerows((text, n % 2) for n, text in enumerate(texts))
    encoder = random_encoder(
        tmp_path / "encoder",
        BertConfig(
            hidden_size=16, num_hidden_layers=1, num_attention_heads=1, intermediate_size=16
        ),
        texts,
    )
    spec = make_spec(
        space="fake_cells",
        plugin=str(PLUGIN),
        data=DataRef(name=str(data)),
        model=str(encoder),
        name="scale",
        strategy="grid",
        tracking_uri=f"sqlite:///{tmp_path}/mlflow.db",
        budget={"max_cells": CELLS},
    )
    meter = Meter(tmp_path)
    began = time.perf_counter()
    outcome = run(spec, callbacks=[meter])
    meter.note()
    total = time.perf_counter() - began
    assert outcome.table.trained == CELLS
    again = time.perf_counter()
    second = run(spec)
    assert (second.table.reused, second.table.trained) == (CELLS, 0)
    files = sum(1 for path in (tmp_path / "mlartifacts").rglob("*") if path.is_file())
    record(
        f"whole path, {CELLS} cells of 10 ms",
        "seconds from the command to the end, a cell",
        total / CELLS,
        unit="s",
        total_s=total,
        found_again_s=time.perf_counter() - again,
        peak_driver_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        artifact_files=files,
        rows=meter.rows,
    )
