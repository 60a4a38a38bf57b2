"""A sweep whose trials are groups of two processes; one of them is killed on the way."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from search.sweep.load import load_record
from tests.integration.sweep_shell import Shell, workers_of
from trainables.engine.cells import runner
from trainables.engine.contract import CellResult

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not os.environ.get("FOLDRACE_FAULTS"), reason="minutes on 2 cores: `make faults` runs it"
    ),
]
CELLS = 6


def test_a_group_that_loses_a_worker_gives_each_cell_once_and_as_one_process_does(
    tmp_path: Path, tiny_encoder: Path, reviews: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = tmp_path / "encoder"
    shutil.copytree(tiny_encoder, encoder)
    config = json.loads((encoder / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (encoder / "config.json").write_text(json.dumps(config))
    shell = Shell(tmp_path, encoder, reviews)
    process = shell.start(
        *("run", *shell.sweep, "--name", "group", "--max-cells", str(CELLS)),
        *("--workers-per-trial", "2", "--cpus-per-trial", "0.5"),
    )
    shell.wait_for("cells", process)
    deadline = time.monotonic() + 300
    while not (found := workers_of(process.pid, "TrainWorker")):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, "no group has two workers"
        time.sleep(0.1)
    found[-1].kill()
    _, err = process.communicate(timeout=600)
    assert process.returncode == 0, err

    monkeypatch.chdir(tmp_path)
    _, outcome = load_record(f"sqlite:///{tmp_path}/mlflow.db", "foldrace", "group")
    pairs = np.argwhere(np.isfinite(outcome.table.scores)).tolist()
    cells = [outcome.plan.cell((config, block)) for config, block in pairs]
    assert len(cells) == CELLS
    assert sorted(shell.cell_keys()) == sorted(cell.key for cell in cells), "each once"
    alone: list[CellResult] = []
    runner.train_cells(outcome.plan.task, cells, alone.append, stack=1)
    in_group = {run.data.tags["cell_key"]: run.data.metrics for run in shell.runs("cells")}
    for result in alone:
        for name in ("accuracy", "loss", "macro_f1"):
            # Sums in another order, over four epochs of steps that build on one another.
            assert in_group[result.key][name] == pytest.approx(result.metrics[name], abs=2e-4)
