"""Cells in trouble, workers and drivers that die, full disks: every cell once, the table right.

The long forms (at least 20 workers killed, 10 drivers, MLflow away for a minute) are `make faults`.
What is killed when is drawn; a failure prints the seed that brings it again.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from tests.integration.fault_table import Noter
from tests.integration.ledger_server import Server
from tests.integration.sweep_shell import Shell, workers_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

PLUGIN = str(Path(__file__).with_name("troubled.py"))
LONG = bool(os.environ.get("FOLDRACE_FAULTS"))
long_only = pytest.mark.skipif(not LONG, reason="minutes: `make faults` runs it")
SECRET = "hunter2-of-the-environment"


@pytest.fixture
def shell(tmp_path: Path, tiny_encoder: Path, reviews: Path) -> Shell:
    return Shell(tmp_path, tiny_encoder, reviews)


def sweep(shell: Shell, *more: str) -> list[str]:
    """A sweep of the plugin's cells, on the shell's data and model."""
    blocks = [] if "--holdout" in more else ["--seeds", "2,16", "--folds", "2"]
    at = shell.sweep.index("--seeds")
    given = [*shell.sweep[1:at], *blocks, "--strategy", "grid", "--plugin", PLUGIN]
    return ["troubled", *given, *more]


def once_each(shell: Shell, document: dict[str, Any]) -> dict[str, int]:
    """Every cell is there once, and the leaderboard is made of exactly these; the counts."""
    keys = Counter(shell.cell_keys())
    assert set(keys.values()) == {1}
    assert document["cells_failed"] == 0
    assert document["cells_done"] == document["cells_planned"] == len(keys)
    scores: dict[str, list[float]] = {}
    for run in shell.runs("cells"):
        scores.setdefault(run.data.tags["config"], []).append(run.data.metrics["accuracy"])
    means = sorted(round(sum(own) / len(own), 9) for own in scores.values())
    shown = sorted(round(row["mean"], 9) for row in document["configs"])
    assert means == shown
    return {
        "lost": document["cells_planned"] - len(keys),
        "twice": sum(keys.values()) - len(keys),
        "changed": sum(mean != own for mean, own in zip(means, shown, strict=True)),
    }


def test_cells_in_trouble_are_told_and_cost_no_other_cell_and_no_secret_is_written(
    shell: Shell,
) -> None:
    shell.more = {"MLFLOW_TRACKING_PASSWORD": SECRET, "HF_TOKEN": SECRET, "RAY_AUTH_TOKEN": SECRET}
    process = shell.start(
        "run",
        *sweep(shell, "--set", "rate=0.01", "--seeds", "2", "--holdout", "0.3"),
        # A small cell takes a second; one that hangs is ended soon.
        *("--max-cell-minutes", "0.4", "--cell-retries", "0", "--stack", "1"),
        "--json",
    )
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    document = json.loads(out)
    # Of four configs the sound one is whole, and each other is said to be what it is.
    by_trouble = {row["config"]["trouble"]: row for row in document["configs"]}
    assert by_trouble["none"]["cells"] == 1
    assert by_trouble["none"]["status"] == "winner"
    assert (document["cells_done"], document["cells_failed"]) == (1, 3)
    said = {
        (run.data.params["trouble"], run.data.tags["status"]): run.data.tags.get("error", "")
        for run in shell.runs("cells", finished=False)
    }
    assert set(said) == {
        ("none", "done"),
        ("nan", "diverged"),
        ("memory", "failed"),
        ("hangs", "failed"),
    }
    assert "not finite" in said["nan", "diverged"] or "nan" in said["nan", "diverged"]
    assert "memory" in said["memory", "failed"]
    assert "0.4 minutes" in said["hangs", "failed"]
    written = [path for path in shell.folder.rglob("*") if path.is_file()]
    assert len(written) > 5
    assert not [path for path in written if SECRET.encode() in path.read_bytes()]
    assert SECRET not in out + err


def test_a_data_file_that_changes_in_mid_sweep_is_refused_with_both_fingerprints(
    shell: Shell, tmp_path: Path, reviews: Path
) -> None:
    data = tmp_path / "mine.csv"
    data.write_text(reviews.read_text())
    words = sweep(shell, "--set", "trouble=none", "--fix", "nap=0.5", "--name", "mine")
    words[words.index(str(reviews))] = str(data)
    process = shell.start("run", *words)
    shell.wait_for("cells", process, finished=True)
    data.write_text(reviews.read_text().replace("good", "nice"))
    # Processes that have read the data go on with what they have read; new ones look again.
    for worker in workers_of(process.pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            worker.kill()
    _, err = process.communicate(timeout=900)
    assert process.returncode == 1, err
    assert re.search(r"changed since the sweep was planned: fingerprint was \w{16}, is \w{16}", err)
    document = shell.json("leaderboard", "mine")
    assert document["cells_failed"] == 0
    assert document["cells_done"] == len(shell.cell_keys()) > 0, "what was earned is kept"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 260 MiB: enough to start on, soon full."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=260m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("no file system can be mounted here to be filled")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


@long_only
def test_a_disk_that_fills_up_in_mid_sweep_loses_nothing(
    small_disk: Path,
    tmp_path: Path,
    tiny_encoder: Path,
    reviews: Path,
    empty_database: bytes,
    faulted: Noter,
) -> None:
    (tmp_path / "mlflow.db").write_bytes(empty_database)
    shell = Shell(small_disk, tiny_encoder, reviews, f"sqlite:///{tmp_path}/mlflow.db")
    ledger = Shell(tmp_path, tiny_encoder, reviews)
    process = shell.start(
        "run", *sweep(shell, "--set", "trouble=none", "--fix", "nap=0.2", "--name", "full")
    )
    ledger.wait_for("cells", process)
    full = small_disk / "full"
    with full.open("wb") as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 2**16)
    time.sleep(5)
    assert os.statvfs(small_disk).f_bavail < 100  # blocks
    full.unlink()
    _, err = process.communicate(timeout=300)
    document = (
        ledger.json("resume", "full") if process.returncode else ledger.json("leaderboard", "full")
    )
    assert "cannot" in err or process.returncode == 0, err
    faulted("disk full for 5 s in mid-sweep", 1, **once_each(ledger, document))


@long_only
def test_a_disk_that_stays_full_stops_the_sweep_in_words_and_resume_trains_the_rest(
    small_disk: Path, tiny_encoder: Path, reviews: Path, empty_database: bytes, faulted: Noter
) -> None:
    (small_disk / "mlflow.db").write_bytes(empty_database)
    shell = Shell(small_disk, tiny_encoder, reviews)
    words = sweep(shell, "--set", "trouble=none", "--fix", "nap=0.2", "--name", "full")
    process = shell.start("run", *words)
    shell.wait_for("cells", process, finished=True)
    full = small_disk / "full"
    with full.open("wb") as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 2**16)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 1, err
    assert "Traceback" not in err
    assert err.count("Results cannot be kept in") <= 2, "once when it begins, once at the end"
    lost = re.search(r"(\d+) results are lost", err)
    full.unlink()
    kept = len(set(shell.cell_keys()))
    document = shell.json("resume", "full")
    assert lost is None or int(lost[1]) < document["cells_planned"] - kept
    faulted("disk full for good, then freed and resumed", 1, **once_each(shell, document))


@long_only
def test_twenty_workers_killed_at_random_cost_no_cell(
    shell: Shell, moments: np.random.Generator, faulted: Noter
) -> None:
    # A kill every few seconds meets one cell many times over: by itself it is given up after three.
    words = sweep(shell, "--set", "trouble=none", "--fix", "nap=1.5", "--cell-retries", "20")
    process = shell.start("run", *words, "--json")
    shell.wait_for("cells", process)
    killed = 0
    deadline = time.monotonic() + 1200
    while killed < 20 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(moments.uniform(0.5, 6))
        with contextlib.suppress(psutil.NoSuchProcess):
            if found := workers_of(process.pid):
                found[moments.integers(len(found))].kill()
                killed += 1
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    assert killed >= 20, "the sweep was over before: more cells, or longer ones"
    faulted("worker killed -9", killed, **once_each(shell, json.loads(out)))


@long_only
def test_ten_drivers_killed_and_resumed_cost_no_cell(
    shell: Shell, moments: np.random.Generator, faulted: Noter
) -> None:
    words = sweep(shell, "--set", "trouble=none", "--fix", "nap=0.6", "--name", "cut")
    process = shell.start("run", *words)
    for killed in range(10):
        shell.wait_for("sweeps", process)
        time.sleep(moments.uniform(2, 25))
        assert process.poll() is None, f"over after {killed} kills: {process.communicate()[1]}"
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        process = shell.start("resume", "cut")
    _, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    faulted("driver killed -9, resumed", 10, **once_each(shell, shell.json("leaderboard", "cut")))
    assert len(shell.runs("sweeps", finished=False)) == 1


@long_only
def test_mlflow_away_for_a_minute_delays_and_loses_nothing(
    shell: Shell, empty_database: bytes, faulted: Noter
) -> None:
    (shell.folder / "mlflow.db").write_bytes(empty_database)
    server = Server(shell.folder)
    shell.uri = server.uri
    server.start()
    try:
        server.wait()
        words = sweep(shell, "--set", "trouble=none", "--fix", "nap=0.6", "--name", "cut")
        process = shell.start("run", *words)
        shell.wait_for("cells", process)
        server.kill()
        time.sleep(60)
        server.start()
        server.wait()
        _, err = process.communicate(timeout=900)
        assert process.returncode == 0, err
        faulted("MLflow away for 60 s", 1, **once_each(shell, shell.json("leaderboard", "cut")))
    finally:
        server.kill()
