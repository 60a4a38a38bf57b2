"""The driver, a worker, the MLflow server are killed in a real sweep: its table is the undisturbed.

At random moments: a failure prints the seed that brings them again.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from search.results.sweep_labels import FILE as TRUTH
from tests.integration.ledger_server import Server
from tests.integration.sweep_shell import Found, Shell, workers_of
from tests.ray_share import ALL_CORES

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


@dataclass
class Undisturbed:
    """A sweep that nobody disturbed."""

    shell: Shell
    document: dict[str, Any]
    table: dict[str, Found]
    seconds: float  # from its entry in the ledger to its end


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, reviews: Path
) -> Undisturbed:
    shell = Shell(tmp_path_factory.mktemp("undisturbed"), tiny_encoder, reviews)
    document = shell.json("run", *shell.sweep, "--name", "first")
    (sweep,) = shell.runs("sweeps")
    seconds = (sweep.info.end_time - sweep.info.start_time) / 1000
    return Undisturbed(shell, document, shell.table(), seconds)


@pytest.fixture
def shell(tmp_path: Path, tiny_encoder: Path, reviews: Path) -> Shell:
    return Shell(tmp_path, tiny_encoder, reviews)


def test_a_sweep_is_trained_once_and_found_again(undisturbed: Undisturbed) -> None:
    shell, first = undisturbed.shell, undisturbed.document
    assert first["cells_done"] == first["cells_planned"] == len(undisturbed.table) > 10
    assert first["cells_reused"] == 0
    assert (first["stopped"], first["never_tried"]) == ("every cell is there", 0)
    (kept,) = shell.runs("sweeps")
    assert kept.data.tags["stopped"] == first["stopped"]
    assert kept.data.metrics["never_tried"] == 0
    assert kept.data.tags["mlflow.note.content"] == first["answer"]

    again = shell.json("run", *shell.sweep, "--name", "again")
    assert again["cells_reused"] == again["cells_done"] == first["cells_done"]
    assert shell.table() == undisturbed.table
    assert again["configs"] == first["configs"], "the same cells must give the same table"

    board = shell.json("leaderboard", "first")
    assert board["winner"] == first["winner"]
    assert {row["status"] for row in board["configs"]} == {"winner", "complete"}
    baseline = [row for row in board["configs"] if row["name"] == "cross-entropy"]
    assert [row["delta_baseline"] for row in baseline] == [None]

    screen, _ = shell.run("leaderboard", "latest")
    assert f"{100 * first['configs'][0]['mean']:.2f}" in screen
    assert "spread" in screen


def kill_at(process: subprocess.Popen[str], seconds: float, kill: signal.Signals) -> str:
    """Send a signal after so long, unless it is over before; what it wrote to stderr."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    if process.poll() is None:
        process.send_signal(kill)
    return process.communicate(timeout=600)[1]


def test_a_driver_that_is_interrupted_and_then_killed_goes_on_where_it_was(
    shell: Shell, undisturbed: Undisturbed, moments: np.random.Generator
) -> None:
    process = shell.start("run", *shell.sweep, "--name", "cut")
    shell.wait_for("sweeps", process)
    err = kill_at(process, moments.uniform(0.1, 0.5) * undisturbed.seconds, signal.SIGINT)
    assert process.returncode in (130, 0), err
    before = set(shell.cell_keys())

    process = shell.start("resume", "cut")
    # Imports and the start of Ray are part of what may be cut.
    err = kill_at(process, moments.uniform(0.2, 1.2) * undisturbed.seconds, signal.SIGKILL)
    assert process.returncode in (-signal.SIGKILL, 0), err
    between = set(shell.cell_keys())
    assert before <= between

    document = shell.json("resume", "cut")
    assert document["cells_done"] == document["cells_planned"]
    assert document["cells_reused"] == 0, "all are the sweep's own, whichever run trained them"
    assert between <= set(shell.cell_keys())
    assert shell.table() == undisturbed.table
    assert len(shell.runs("sweeps", finished=False)) == 1
    assert list((shell.folder / ".foldrace").rglob("*.json")) == [], "nothing waits any more"


def test_a_killed_worker_costs_no_cell_and_doubles_none(
    shell: Shell, undisturbed: Undisturbed, moments: np.random.Generator
) -> None:
    shell.more = ALL_CORES  # another worker goes on meanwhile
    process = shell.start("run", *shell.sweep, "--json")
    deadline = time.monotonic() + 300
    while not workers_of(process.pid):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, "no worker came up"
        time.sleep(0.1)
    time.sleep(moments.uniform(0, 0.5) * undisturbed.seconds)
    while process.poll() is None:
        # A worker may end by itself between the look and the kill: then it is another's turn.
        with contextlib.suppress(psutil.NoSuchProcess):
            if workers := workers_of(process.pid):
                workers[moments.integers(len(workers))].kill()
                break
        time.sleep(0.05)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    document = json.loads(out)
    assert document["cells_failed"] == 0
    assert document["cells_done"] == document["cells_planned"]
    assert shell.table() == undisturbed.table


def test_a_sweep_goes_on_without_mlflow_and_delivers_later(
    shell: Shell,
    undisturbed: Undisturbed,
    moments: np.random.Generator,
    empty_database: bytes,
) -> None:
    back_before_the_end = moments.integers(2) == 1
    (shell.folder / "mlflow.db").write_bytes(empty_database)
    server = Server(shell.folder)
    shell.uri = server.uri
    server.start()
    try:
        server.wait()
        process = shell.start("run", *shell.sweep, "--name", "cut")
        shell.wait_for("sweeps", process)
        # A sweep that has not written down what it is cannot begin without MLflow.
        while not list(shell.folder.rglob(TRUTH)):
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.1)
        time.sleep(moments.uniform(0, 0.5) * undisturbed.seconds)
        server.kill()
        if back_before_the_end:
            time.sleep(moments.uniform(0, 0.2) * undisturbed.seconds)
            server.start()
        _, err = process.communicate(timeout=600)
        assert process.returncode == 0, err
        if not back_before_the_end:
            assert "the next foldrace command on this ledger delivers them" in err
            server.start()
        server.wait()
        document = shell.json("leaderboard", "cut")
        assert document["cells_done"] == document["cells_planned"] == len(undisturbed.table)
        assert document["winner"] == undisturbed.document["winner"]
    finally:
        server.kill()
    assert shell.table() == undisturbed.table
    assert not list((shell.folder / ".foldrace" / "spool").rglob("*.json"))
    assert len(shell.runs("sweeps")) == 1
