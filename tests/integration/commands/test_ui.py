"""`foldrace ui` as a person starts and ends it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient

from search.console.runs_page import runs_page
from tests.integration.ledger_cells import CONFIG, TAGS, Opener

pytestmark = pytest.mark.integration

_ROOT = str(Path(__file__).parents[3])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(folder: Path, uri: str, port: int) -> subprocess.Popen[str]:
    words = ["ui", "--port", str(port), "--tracking-uri", uri, "--experiment", "test"]
    return subprocess.Popen(
        [sys.executable, "-m", "search.cli", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": _ROOT},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def test_the_ui_is_few_processes_opens_on_the_means_and_ends_whole(
    open_ledger: Opener, ledger_uri: str, tmp_path: Path
) -> None:
    ledger = open_ledger()
    sweep = ledger.start_sweep("mine", {}, {})
    ledger.record_config(sweep, "a", params=CONFIG, scores=[0.5], seconds=1, tags=TAGS)
    assert ledger.flush(30)
    found = MlflowClient(ledger_uri).get_experiment_by_name("test")
    assert found is not None
    port = free_port()
    ui = start(tmp_path, ledger_uri, port)
    try:
        assert ui.stdout is not None
        assert ui.stdout.readline() == (
            f"Open {runs_page(f'http://127.0.0.1:{port}', found.experiment_id)}\n"
        )
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=60) as answer:
            assert answer.status == 200
        below = psutil.Process(ui.pid).children(recursive=True)
        assert 1 <= len(below) <= 3, [process.cmdline() for process in below]
        ui.send_signal(signal.SIGTERM)
        assert ui.wait(60) == 130
    finally:
        ui.terminate()
        ui.communicate(timeout=60)
    deadline = time.monotonic() + 10
    while any(process.is_running() for process in below) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [process for process in below if process.is_running()] == []


def test_a_port_that_is_taken_is_named(ledger_uri: str, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ui = start(tmp_path, ledger_uri, taken.getsockname()[1])
        assert ui.communicate(timeout=60)[0] == ""
        assert ui.returncode == 2


def test_the_page_is_the_training_view_of_one_sweep_best_first() -> None:
    page = runs_page("http://me:secret@here:5000/", "3", "ab12")
    assert page == (
        "http://here:5000/#/experiments/3/runs?workflowType=machine_learning"
        "&orderByKey=metrics.%60mean%60&orderByAsc=false"
        "&searchFilter=tags.sweep%20%3D%20%27ab12%27"
    )
    assert runs_page("http://here:5000", "3", "ab12", view=True) == (
        "http://here:5000/#/experiments/3/runs?workflowType=machine_learning&viewStateShareKey=ab12"
    )
