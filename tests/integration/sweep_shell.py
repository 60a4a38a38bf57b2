"""`foldrace` on the command line, in a folder of its own, and what its ledger holds afterwards."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
import pytest
import ray
from mlflow import MlflowClient
from mlflow.entities import Run

from search import cli
from tests.ray_share import ONE_CORE

# Of a cell: its metrics, the metrics after each epoch, and its predictions, as bytes.
Found = tuple[Mapping[str, float], Mapping[str, list[tuple[int, float]]], bytes]
# What it sets for Ray must not reach the other tests.
_OWN_PROCESS = ("submit",)
_TRAINS = ("run", "resume")
_ROOT = str(Path(__file__).parents[2])
_TIMES = ("seconds", "peak_memory_mib")

started: list[subprocess.Popen[str]] = []
"""All commands of the running test: its end is the end of those that it left running."""


@functools.cache
def _one_slot() -> None:
    """A Ray that all sweeps of this process share: more trials would only share its cores."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", _ROOT)  # what its workers import from
        ray.init(
            num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR
        )


def workers_of(pid: int, role: str = "ImplicitFunc") -> list[psutil.Process]:
    """Ray's workers below a process: trials, or members of a trial's group ("TrainWorker")."""
    found = []
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(pid).children(recursive=True):
            # One may end between the look and the question.
            with contextlib.suppress(psutil.Error):
                if role in " ".join(child.cmdline()):
                    found.append(child)
    return found


class Shell:
    """`foldrace` in a folder of its own, with its own ledger.

    Args:
        folder: To run it in.
        encoder: A model.
        reviews: Its data.
        uri: The tracking URI; None takes foldrace's default, a sqlite file in the folder.
    """

    def __init__(self, folder: Path, encoder: Path, reviews: Path, uri: str | None = None) -> None:
        self.folder = folder
        self.uri = uri
        self.more: Mapping[str, str] = {}  # variables of the environment
        self.sweep = [
            *("smoke", "--data", str(reviews), "--text", "body", "--label", "verdict"),
            *("--model", str(encoder), "--seeds", "2,16", "--folds", "2", "--strategy", "grid"),
            *("--set", "scale=3.3", "--fix", "epochs=4"),
        ]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        settings = {"PYTHONFAULTHANDLER": "1", **ONE_CORE, **self.more}
        if self.uri is not None:
            settings["MLFLOW_TRACKING_URI"] = self.uri
        process = subprocess.Popen(
            [sys.executable, "-m", "search.cli", *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": _ROOT, **settings},
        )
        started.append(process)
        return process

    def run(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        """What a command wrote to stdout and stderr.

        In this process, which has imported what takes ten seconds, and on one Ray for all that it
        runs, with one trial at a time; `start` gives a command a process and a Ray of its own.
        """
        if arguments[0] in _OWN_PROCESS or self.more:
            process = self.start(*arguments)
            out, err = process.communicate(timeout=600)
            found = process.returncode
        else:
            found, out, err = self._run_here(*arguments)
        assert found == code, out + err
        return out, err

    def _run_here(self, *arguments: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            patch.chdir(self.folder)
            if arguments[0] in _TRAINS:
                _one_slot()
            if self.uri is not None:
                patch.setenv("MLFLOW_TRACKING_URI", self.uri)
            found = cli.main(list(arguments))
        return found, out.getvalue(), err.getvalue()

    def json(self, *arguments: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.run(*arguments, "--json")[0])
        return document

    def runs(self, kind: str, *, finished: bool = True) -> list[Run]:
        """The runs of an experiment, read with MLflow itself."""
        if not (self.folder / "mlflow.db").exists():
            return []
        client = MlflowClient(f"sqlite:///{self.folder}/mlflow.db")
        experiment = client.get_experiment_by_name(f"foldrace/{kind}")
        if experiment is None:
            return []
        query = "attributes.status = 'FINISHED'" if finished else ""
        return list(client.search_runs([experiment.experiment_id], query, max_results=1000))

    def cell_keys(self) -> list[str]:
        """The cell_key of every finished run in the ledger."""
        return [run.data.tags["cell_key"] for run in self.runs("cells")]

    def table(self) -> dict[str, Found]:
        """What the ledger holds of each cell, but for times; each may be there once only."""
        client = MlflowClient(f"sqlite:///{self.folder}/mlflow.db")
        found: dict[str, Found] = {}
        for run in self.runs("cells"):
            key = run.data.tags["cell_key"]
            assert key not in found, "a cell is there twice"
            metrics = {k: v for k, v in run.data.metrics.items() if k not in _TIMES}
            curves = {
                name: sorted(
                    (point.step, point.value)
                    for point in client.get_metric_history(run.info.run_id, name)
                )
                for name in metrics
            }
            (file,) = self.folder.rglob(f"{run.info.run_id}/artifacts/predictions.npz")
            with np.load(file) as arrays:
                rows: npt.NDArray[np.int64] = arrays["rows"]
                found[key] = metrics, curves, rows.tobytes() + arrays["probabilities"].tobytes()
        return found

    def wait_for(
        self, kind: str, process: subprocess.Popen[str], *, finished: bool = False
    ) -> None:
        """Until there is a run of this kind."""
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and not self.runs(kind, finished=finished):
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.2)
