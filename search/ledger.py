"""The record of finished cells, in MLflow: the only file that imports mlflow.

Three flat experiments: NAME (a run per config of a sweep), NAME/cells (a run per cell, ever) and
NAME/sweeps (a run per sweep), tied by the tags sweep, config and cell_key. Only the driver writes,
from one background thread; results lie in a spool on disk until MLflow has them.
"""

from __future__ import annotations

import gc
import hashlib
import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

from search.delivery import RefusedError
from search.journal import Journal
from search.payloads import Point
from search.recorder import Kind
from search.records import LoggedCell, LoggedRun, SweepRecord
from search.tracking_uri import (
    LedgerError,
    check_folder,
    check_uri,
    redact,
    sqlite_file,
)

__all__ = ["Ledger", "LedgerError", "LoggedCell", "SweepRecord"]

# Before mlflow is imported: nothing is reported to the outside; and a request that fails is tried
# again by the delivery, which has the spool, not for minutes by MLflow (default: 7 retries, 120 s).
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException

# Migrations of a new file, each HTTP retry, and tracebacks of errors that are raised as well.
for _name in ("alembic", "mlflow.store.db.utils", "urllib3.connectionpool"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)

_PAGE = 1_000  # the most that a server gives at once
_METRICS, _NAMED = 800, 100  # of a batch: 1,000 values in all, at most 100 params and 100 tags
_PATIENCE_S = 10  # for a server's first answer
_REFUSALS = {"INVALID_PARAMETER_VALUE", "BAD_REQUEST", "RESOURCE_DOES_NOT_EXIST", "INVALID_STATE"}


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """MLflow makes 150 objects a run, none of them garbage: a look-up takes 1/3 of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def _plain_errors() -> Iterator[None]:
    """MLflow's errors as the recorder knows them."""
    try:
        yield
    except MlflowException as error:
        text = redact(str(error))
        if error.error_code in _REFUSALS:
            raise RefusedError(text) from error
        raise ConnectionError(text) from error


class _MlflowStore:
    """The calls of MlflowClient that foldrace makes, in plain values."""

    def __init__(self, uri: str, names: Mapping[Kind, str], artifacts: Path | None) -> None:
        self._uri = uri
        self._names = names
        self._artifacts = artifacts
        self._made: MlflowClient | None = None
        self._experiments: dict[Kind, str] = {}

    @property
    def client(self) -> MlflowClient:
        """Made at the first call: it connects, and creates the tables of a new database."""
        if self._made is None:
            self._made = MlflowClient(self._uri)
        return self._made

    def ping(self) -> None:
        """Ask for the least there is."""
        with _plain_errors():
            self.client.search_experiments(max_results=1)

    def _experiment(self, kind: Kind) -> str | None:
        """Id of an experiment; None if there is none yet."""
        if kind not in self._experiments:
            found = self.client.get_experiment_by_name(self._names[kind])
            if found is None:
                return None
            if found.lifecycle_stage != "active":
                raise RefusedError(
                    f"Experiment {found.name!r} was deleted in MLflow. Choose another --experiment "
                    f"or restore it: mlflow experiments restore -x {found.experiment_id}"
                )
            self._experiments[kind] = found.experiment_id
        return self._experiments[kind]

    def _experiment_to_write(self, kind: Kind) -> str:
        found = self._experiment(kind)
        if found is None:
            found = self._experiments[kind] = self._create(self._names[kind])
        return found

    def _create(self, name: str) -> str:
        # Beside the database, not in whatever folder the sweep is started from.
        location = None if self._artifacts is None else (self._artifacts / name).as_uri()
        # Without this tag a new experiment opens as one of language model traces in the UI.
        kind = {"mlflow.experimentKind": "custom_model_development"}
        return str(self.client.create_experiment(name, artifact_location=location, tags=kind))

    def runs(self, kind: Kind, filter_string: str) -> Iterator[LoggedRun]:
        token: str | None = None
        while True:
            with _plain_errors(), _without_garbage_collection():
                experiment = self._experiment(kind)
                if experiment is None:
                    return
                page = self.client.search_runs(
                    [experiment], filter_string, max_results=_PAGE, page_token=token
                )
                runs = [_plain_run(run) for run in page]
                token = page.token
                del page
            yield from runs
            if not token:
                return

    def create(self, kind: Kind, run_name: str, tags: Mapping[str, str], started_ms: int) -> str:
        try:
            with _plain_errors():
                run = self.client.create_run(
                    self._experiment_to_write(kind),
                    start_time=started_ms,
                    tags=dict(tags),
                    run_name=run_name,
                )
        except (RefusedError, OSError):
            self._experiments.clear()  # a restarted server may know them under other ids
            raise
        return str(run.info.run_id)

    def log(
        self,
        run_id: str,
        points: list[Point],
        params: Mapping[str, str],
        tags: Mapping[str, str],
    ) -> None:
        metrics = [Metric(*point) for point in points]
        named = [Param(name, value) for name, value in params.items()]
        tagged = [RunTag(name, value) for name, value in tags.items()]
        # One call, but for hundreds of classes or epochs.
        calls = max(
            -(-len(metrics) // _METRICS), -(-len(named) // _NAMED), -(-len(tagged) // _NAMED)
        )
        with _plain_errors():
            for call in range(calls):
                few, many = _NAMED * call, _METRICS * call
                self.client.log_batch(
                    run_id,
                    metrics[many : many + _METRICS],
                    named[few : few + _NAMED],
                    tagged[few : few + _NAMED],
                )

    def attach(self, run_id: str, files: Mapping[str, bytes]) -> None:
        with _plain_errors(), tempfile.TemporaryDirectory() as folder:
            for name, data in files.items():
                path = Path(folder, name)
                path.write_bytes(data)
                self.client.log_artifact(run_id, str(path))

    def end(self, run_id: str, status: str, ended_ms: int) -> None:
        with _plain_errors():
            self.client.set_terminated(run_id, status, ended_ms)

    def delete(self, run_id: str) -> None:
        with _plain_errors():
            self.client.delete_run(run_id)

    def reopen(self, run_id: str) -> None:
        with _plain_errors():
            self.client.update_run(run_id, status="RUNNING")

    def folder(self, kind: Kind) -> Path | None:
        with _plain_errors():
            found = self.client.get_experiment_by_name(self._names[kind])
        place = "" if found is None else str(found.artifact_location)
        if "://" in place.replace("file://", "", 1):
            return None
        path = Path(unquote(place.removeprefix("file://")))
        return path if path.is_dir() else None

    def fetch(self, run_id: str, name: str) -> bytes | None:
        with _plain_errors(), tempfile.TemporaryDirectory() as folder:
            if name not in {file.path for file in self.client.list_artifacts(run_id)}:
                return None
            return Path(self.client.download_artifacts(run_id, name, folder)).read_bytes()


def _plain_run(run: Run) -> LoggedRun:
    # The same few names and values come back for each run: keep one copy of each.
    info, data, one = run.info, run.data, sys.intern
    return LoggedRun(
        run_id=info.run_id,
        name=info.run_name,
        status=info.status,
        started_ms=info.start_time or 0,
        ended_ms=info.end_time or 0,
        tags={one(name): one(value) for name, value in data.tags.items()},
        params={one(name): one(value) for name, value in data.params.items()},
        metrics={one(name): value for name, value in data.metrics.items()},
    )


class Ledger(Journal):
    """The journal of one experiment name at a tracking URI; a context manager.

    Args:
        tracking_uri: sqlite:///mlflow.db, http://host:5000, postgresql://...
        experiment: NAME; the two other experiments are called after it.
        spool_dir: Where results wait until MLflow has them; ledgers have sub-folders of their own.
    """

    def __init__(
        self, tracking_uri: str, experiment: str, spool_dir: Path = Path(".foldrace/spool")
    ) -> None:
        file = sqlite_file(tracking_uri)
        # Absolute, so that a later change of the working folder changes nothing.
        uri = tracking_uri if file is None else f"sqlite:///{file}"
        names: dict[Kind, str] = {
            "configs": experiment,
            "cells": f"{experiment}/cells",
            "sweeps": f"{experiment}/sweeps",
        }
        identity = json.dumps([redact(uri), experiment]).encode()
        folder = spool_dir.absolute() / hashlib.sha256(identity).hexdigest()[:16]
        artifacts = None if file is None else file.parent / "mlartifacts"
        self._uri = tracking_uri
        self._mlflow = _MlflowStore(uri, names, artifacts)
        where = f"{redact(tracking_uri)} (experiment {experiment!r})"
        super().__init__(self._mlflow, folder, where)

    def check(self) -> None:
        """Make sure that results can be written here.

        Takes some 5 seconds at most where nobody answers; a new sqlite file is given its tables.

        Raises:
            LedgerError: naming the URI, what is wrong and what to do.
        """
        check_uri(self._uri)
        check_folder(self._spool_folder, "The folder of results that wait for MLflow,")
        hasty = {
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
            "MLFLOW_HTTP_REQUEST_TIMEOUT": str(_PATIENCE_S),
        }
        before = {name: os.environ[name] for name in hasty}
        os.environ.update(hasty)
        try:
            with self._asking():
                self._mlflow.ping()
        except ImportError as error:
            raise LedgerError(
                f"Tracking URI {redact(self._uri)!r} needs a database driver that is not "
                f"installed ({error}). Install it, or use a server: http://host:5000."
            ) from error
        finally:
            os.environ.update(before)
