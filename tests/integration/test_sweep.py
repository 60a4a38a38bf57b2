"""One whole path through the house: command line, real Ray, real training, real MLflow."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = pytest.mark.integration


class Shell:
    """`foldrace` in a folder of its own, with its own ledger."""

    def __init__(self, folder: Path, encoder: Path, reviews: Path) -> None:
        self.folder = folder
        self.sweep = [
            *("smoke", "--data", str(reviews), "--text", "body", "--label", "verdict"),
            *("--model", str(encoder), "--seeds", "2,16", "--folds", "2", "--strategy", "grid"),
        ]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "search.cli", *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )

    def run(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=240)
        assert process.returncode == code, err
        return out, err

    def json(self, *arguments: str) -> dict[str, Any]:
        return json.loads(self.run(*arguments, "--json")[0])

    def cell_keys(self) -> list[str]:
        """The cell_key of every finished run in the ledger, read with MLflow itself."""
        from mlflow import MlflowClient

        client = MlflowClient(f"sqlite:///{self.folder}/mlflow.db")
        experiment = client.get_experiment_by_name("foldrace/cells")
        if experiment is None:
            return []
        runs = client.search_runs(
            [experiment.experiment_id], "attributes.status = 'FINISHED'", max_results=1000
        )
        return [run.data.tags["cell_key"] for run in runs]


@pytest.fixture
def shell(tmp_path: Path, tiny_encoder: Path, reviews: Path) -> Shell:
    return Shell(tmp_path, tiny_encoder, reviews)


def test_a_sweep_is_trained_once_and_found_again(shell: Shell) -> None:
    first = shell.json("run", *shell.sweep, "--name", "first")
    assert first["cells_done"] == first["cells_planned"] > 0
    assert first["cells_reused"] == 0
    keys = shell.cell_keys()
    assert len(keys) == len(set(keys)) == first["cells_done"]

    again = shell.json("run", *shell.sweep, "--name", "again")
    assert again["cells_reused"] == again["cells_done"] == first["cells_done"]
    assert len(shell.cell_keys()) == first["cells_done"]
    assert again["configs"] == first["configs"], "the same cells must give the same table"

    board = shell.json("leaderboard", "first")
    assert board["winner"] == first["winner"]
    assert {row["status"] for row in board["configs"]} == {"winner", "complete"}
    baseline = [row for row in board["configs"] if row["name"] == "cross-entropy"]
    assert [row["delta_baseline"] for row in baseline] == [None]

    screen, _ = shell.run("leaderboard", "latest")
    assert f"{100 * first['configs'][0]['mean']:.2f}" in screen
    assert "spread" in screen


@pytest.mark.parametrize(
    ("kill", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_a_sweep_that_is_ended_in_the_middle_goes_on_where_it_was(
    shell: Shell, kill: signal.Signals, code: int
) -> None:
    process = shell.start("run", *shell.sweep, "--fix", "epochs=8", "--stack", "1", "--name", "cut")
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and len(before := shell.cell_keys()) < 2:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.3)
    process.send_signal(kill)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err

    document = shell.json("resume", "cut")
    after = shell.cell_keys()
    assert document["cells_done"] == document["cells_planned"] == len(after)
    assert len(set(after)) == len(after), "a cell was trained twice"
    assert set(before) <= set(after)
    assert document["cells_reused"] >= len(before)


def test_a_killed_worker_costs_no_cell_and_doubles_none(shell: Shell) -> None:
    process = shell.start("run", *shell.sweep, "--fix", "epochs=8", "--stack", "2", "--json")
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and len(shell.cell_keys()) < 2:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.3)
    workers = [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if any("ImplicitFunc" in part for part in child.cmdline())
    ]
    assert workers
    workers[0].kill()
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    document = json.loads(out)
    keys = shell.cell_keys()
    assert document["cells_failed"] == 0
    assert document["cells_done"] == document["cells_planned"] == len(keys) == len(set(keys))


def test_resume_refuses_data_that_changed(shell: Shell, tmp_path: Path, reviews: Path) -> None:
    copy = tmp_path / "mine.csv"
    copy.write_text(reviews.read_text())
    arguments = [str(copy) if part == str(reviews) else part for part in shell.sweep]
    shell.json("run", *arguments, "--name", "mine", "--max-cells", "2")
    copy.write_text(reviews.read_text().replace("good", "nice"))
    _, err = shell.run("resume", "mine", code=2)
    assert "data of sweep 'mine' changed" in err


def test_plan_trains_nothing_and_says_what_it_would_cost(shell: Shell) -> None:
    document = shell.json("plan", *shell.sweep, "--price-per-hour", "2")
    assert document["cells"] == document["cells_to_train"] == document["configs"] * 4
    assert document["seconds_per_cell"] > 0
    assert document["money"] == pytest.approx(2 * document["slot_hours"])
    assert shell.cell_keys() == []
    nested = shell.json("plan", *shell.sweep, "--nested")
    assert nested["nested_cells"] == nested["nested_cells_to_train"] == 2 * document["cells"]
    assert (document["nested_cells"], nested["cells_to_train"]) == (0, document["cells_to_train"])
