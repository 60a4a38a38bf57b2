"""Where the controller, the ledger and the disk bend: cells of 10 ms through the whole path.

2,000 cells on a slot for each CPU in a sqlite file, unless variables say otherwise; those of
search/scale.md are:

    FOLDRACE_SCALE_CELLS=1000000  how many cells
    FOLDRACE_SCALE_SLOTS=64       trials at once, each a Ray worker with its share of the CPUs;
                                  more than 8 a CPU do without torch (light_trial.py)
    FOLDRACE_SCALE_URI=http://... a ledger; experiments of its own are made there
    FOLDRACE_SCALE_FOLDER=DIR     where it stays, with scale.jsonl, a row for each 1% at once
"""

from __future__ import annotations

import csv
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from search import make_spec, run
from search.planning.plan import Plan
from search.process import own_code
from search.process.environment import usable_cpus
from search.results.score_matrix import ScoreMatrix
from search.sweep.callback import Callback
from trainables.engine.contract import CellResult, DataRef

CELLS = int(os.environ.get("FOLDRACE_SCALE_CELLS", "2000"))
SLOTS = int(os.environ.get("FOLDRACE_SCALE_SLOTS", "0")) or usable_cpus()
PLUGIN = Path(__file__).with_name("fake_cells.py")
pytestmark = pytest.mark.filterwarnings("default")


class Meter(Callback):
    """Time, memory and disk after each so many cells, a row of a file each."""

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
            self._next = self.seen + max(500, CELLS // 100)
            self.note()

    def note(self) -> None:
        database = self._folder / "mlflow.db"
        spool = self._folder / ".foldrace" / "spool"
        workers = self._me.children(recursive=True)
        row = {
            "cells": self.seen,
            "seconds": time.perf_counter() - self.began,
            "cpu_s": self._me.cpu_times().user + self._me.cpu_times().system,
            "rss_mib": self._me.memory_info().rss / 2**20,
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "workers": sum(_is_worker(process) for process in workers),
            "database_mib": database.stat().st_size / 2**20 if database.exists() else 0.0,
            "spooled_files": sum(1 for _ in spool.rglob("*.json")) if spool.exists() else 0,
            "load": os.getloadavg()[0],
        }
        self.rows.append(row)
        line = json.dumps({name: round(value, 1) for name, value in row.items()})
        print(line, file=sys.stderr)
        with (self._folder / "scale.jsonl").open("a") as file:
            file.write(line + "\n")


def _is_worker(process: psutil.Process) -> bool:
    try:
        return str(process.name()).startswith("ray::")
    except psutil.Error:
        return False


def _measured(uri: str, command: str) -> dict[str, float]:
    """Seconds and MiB of a foldrace command, which finds nothing to do."""
    began = time.perf_counter()
    foldrace = str(Path(sys.executable).with_name("foldrace"))
    words = [foldrace, command, "scale", "--tracking-uri", uri]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    seconds = time.perf_counter() - began
    return {f"{command}_s": seconds, f"{command}_peak_mib": used.ru_maxrss / 1024}


def test_cells_of_ten_milliseconds(
    record: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    from throughput import random_encoder
    from transformers import BertConfig

    folder = Path(os.environ.get("FOLDRACE_SCALE_FOLDER", tmp_path)).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(folder)
    texts = [f"text number {n}" for n in range(200)]
    data = folder / "data.csv"
    with data.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        rows.writerows((text, n % 2) for n, text in enumerate(texts))
    encoder = random_encoder(
        folder / "encoder",
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
        tracking_uri=os.environ.get("FOLDRACE_SCALE_URI", f"sqlite:///{folder}/mlflow.db"),
        set_axes={"one": tuple(range(max(100, -(-CELLS // 1_000))))},  # 50 others, 20 blocks
        resources={"trials": SLOTS, "cpus_per_trial": usable_cpus() / SLOTS},
        budget={"max_cells": CELLS},
    )
    if usable_cpus() * 8 < SLOTS:
        carried = own_code.carried
        monkeypatch.setattr(
            own_code,
            "carried",
            lambda entry, *rest, **named: carried("light_trial:train", *rest, **named),
        )
    meter = Meter(folder)
    began = time.perf_counter()
    outcome = run(spec, callbacks=[meter])
    meter.note()
    total = time.perf_counter() - began
    assert outcome.table.trained == CELLS
    after: dict[str, float] = {}
    for command in ("resume", "leaderboard"):
        after |= _measured(spec.tracking_uri, command)
    artifacts = folder / "mlartifacts"
    files = sum(1 for path in artifacts.rglob("*") if path.is_file()) if artifacts.exists() else 0
    record(
        f"whole path, {CELLS} cells of 10 ms on {SLOTS} slots",
        "seconds from the command to the end, a cell",
        total / CELLS,
        unit="s",
        total_s=total,
        peak_driver_mib=meter.rows[-1]["peak_mib"],
        **after,
        artifact_files=files,
        rows=meter.rows,
    )
