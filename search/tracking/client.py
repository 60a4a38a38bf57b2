"""MLflow's client as a store of the ledger.

Local files have a fast path, see sqlite_rows.py.

Only this package imports mlflow.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from search.errors import DeliveryRefusedError
from search.ledger.records import LoggedRun
from search.ledger.store import WRITER, Kind, NewRun, RunNews, Scan, Wanted, age
from search.process.memory import without_garbage_collection
from search.tracking.sqlite_store import local_path
from search.tracking_uri import check_uri, sqlite_file

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
from mlflow.entities import Experiment, Metric, Param, RunTag
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from search.ledger.store import DataDescription
from search.tracking import dataset_input, rest_pages
from search.tracking.calls import plain_errors
from search.tracking.experiments import Experiments
from search.tracking.sqlite_database import make_database
from search.tracking.sqlite_rows import Rows, local_folder, open_rows

# Migrations of a new file, each HTTP retry, and tracebacks of errors that are raised as well.
for _name in ("alembic", "mlflow.store.db.utils", "urllib3.connectionpool"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)

_METRICS, _NAMED = 800, 100  # of a batch: 1,000 values in all, at most 100 params and 100 tags
_PATIENCE_S = 10  # for a server's first answer
_CALLERS = 8  # requests to a server at once

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


class MlflowStore:
    """MLflow as a `search.ledger.store.Store`, in plain values.

    Args:
        uri: Tracking URI; of a sqlite file with its absolute path.
        names: Names of the three experiments.
        artifacts: Folder of the files of a sqlite ledger; None where MLflow says where they go.
        read_to: Gives the last row of a local file's table of runs that has been read.
    """

    def __init__(
        self,
        uri: str,
        names: Mapping[Kind, str],
        artifacts: Path | None,
        read_to: Callable[[Kind], int] = lambda kind: 0,
    ) -> None:
        self._uri = uri
        self._names = names
        self._artifacts = artifacts
        self._read_to = read_to
        self._made: MlflowClient | None = None
        self._opened: Rows | None = None
        self._experiments = Experiments(lambda: self.client, names, artifacts)
        self.writer = secrets.token_hex(8)

    @property
    def client(self) -> MlflowClient:
        """MLflow's client, made at the first call.

        It connects, and creates the tables of a new database.
        """
        if self._made is None:
            file = sqlite_file(self._uri)
            if file is not None and self._artifacts is not None:
                make_database(file, self._artifacts)
            self._made = MlflowClient(self._uri)
            if self._artifacts is not None:
                self._opened = open_rows(self._uri, self._artifacts)
        return self._made

    def _rows(self, experiment: Experiment) -> tuple[Rows, Path] | None:
        """Tables and folder of an experiment, if both are on this machine."""
        folder = local_folder(experiment)
        return None if self._opened is None or folder is None else (self._opened, folder)

    def ping(self) -> None:
        """Ask for the least there is, without MLflow's patience of minutes."""
        check_uri(self._uri)
        hasty = {
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
            "MLFLOW_HTTP_REQUEST_TIMEOUT": str(_PATIENCE_S),
        }
        before = {name: os.environ.get(name) for name in hasty}
        os.environ.update(hasty)
        try:
            with plain_errors():
                self.client.search_experiments(max_results=1)
        finally:
            for name, value in before.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value

    def runs(self, kind: Kind, tag: str | None = None, value: str = "") -> list[LoggedRun]:
        """All runs, or those whose tag has this value, newest first."""
        with plain_errors(), without_garbage_collection():
            experiment = self._experiments.find(kind)
            if experiment is None:
                return []
            query = "" if tag is None else f"tags.{tag} = '{value}'"
            runs, token = self._page(experiment.experiment_id, query, None)
            while token:
                for more, following in self._each(
                    lambda token: self._page(experiment.experiment_id, query, token),
                    rest_pages.tokens_from(token),
                ):
                    runs += more
                    token = following
                    if token is None:
                        break
            return runs

    def scan(
        self, kind: Kind, tag: str, value: str, wanted: Wanted, once: str | None = None
    ) -> Scan:
        """Runs whose tag has this value, with all their values."""
        runs = self.runs(kind, tag, value)
        counts = Counter([] if once is None else [run.tags.get(once, "") for run in runs])
        return Scan(frozenset(text for text, n in counts.items() if n > 1), iter(runs))

    def _page(
        self, experiment_id: str, query: str, token: str | None
    ) -> tuple[list[LoggedRun], str | None]:
        with plain_errors():
            server = rest_pages.rest_store(self.client)
            if server is not None:
                return rest_pages.page(server, experiment_id, query, token)
            page = self.client.search_runs(
                [experiment_id], query, max_results=rest_pages.PAGE, page_token=token
            )
            return [rest_pages.plain_run(run) for run in page], page.token or None

    def find(self, kind: Kind, tag: str, values: Sequence[str]) -> Iterator[LoggedRun]:
        """All runs whose tag has one of these values."""
        with plain_errors():
            experiment = self._experiments.find(kind)
            if experiment is None:
                return
        for runs in self._each(lambda value: list(self.runs(kind, tag, value)), values):
            yield from runs

    def add(
        self,
        kind: Kind,
        runs: Sequence[NewRun],
        once: str | None = None,
        shared: bool = False,
    ) -> list[str]:
        """Create runs and return their ids.

        One transaction in a local file, else four requests each, several at once.

        Args:
            kind: Experiment of the runs.
            runs: The runs.
            once: Name of a tag whose value only one finished run has.
            shared: Look for other processes' runs of that value on a server, too.
        """
        try:
            with plain_errors():
                experiment = self._experiments.to_write(kind)
                local = self._rows(experiment)
                if local is not None:
                    return local[0].add(experiment, local[1], runs, once, self._read_to(kind))
            if once is not None and shared:
                return self._add_once(kind, experiment.experiment_id, runs, once)
            return self._each(lambda run: self._add(experiment.experiment_id, run), runs)
        except (DeliveryRefusedError, OSError):
            self._experiments.forget()  # a restarted server may know them under other ids
            raise

    def _add_once(
        self, kind: Kind, experiment_id: str, runs: Sequence[NewRun], once: str
    ) -> list[str]:
        """Create runs that no other process has made.

        Both of two that write one at the same time look afterwards; the older run stays.
        """
        values = [run.tags[once] for run in runs]
        kept = self._finished(kind, once, values)
        new = [run for run in runs if run.tags[once] not in kept]
        made = self._each(lambda run: self._add(experiment_id, run), new)
        own = {run.tags[once]: run_id for run, run_id in zip(new, made, strict=True)}
        kept = {**own, **kept, **self._finished(kind, once, list(own))}
        for value, run_id in own.items():
            if kept[value] != run_id:
                self.delete([run_id])
        return [kept[value] for value in values]

    def _finished(self, kind: Kind, tag: str, values: Sequence[str]) -> dict[str, str]:
        """Id of the oldest finished run of each value of a tag."""
        finished: dict[str, LoggedRun] = {}
        for run in self.find(kind, tag, values):
            if run.status == "FINISHED":
                value = run.tags[tag]
                finished[value] = min(run, finished.get(value, run), key=age)
        return {value: run.run_id for value, run in finished.items()}

    def _add(self, experiment_id: str, run: NewRun) -> str:
        with plain_errors():
            made = self.client.create_run(
                experiment_id,
                start_time=run.started_ms,
                tags={**run.tags, WRITER: self.writer},
                run_name=run.name,
            )
        run_id = str(made.info.run_id)
        self._log(RunNews(run_id=run_id, points=run.points, params=run.params))
        if run.files:
            self.attach(run_id, run.files, made.info.artifact_uri)
        if run.ended_ms is not None:
            self._end(run_id, run.status, run.ended_ms)
        return run_id

    def _each(self, call: Callable[[_Item], _Answer], items: Iterable[_Item]) -> list[_Answer]:
        """Make several calls at once, as a server has several workers."""
        todo = list(items)
        if len(todo) < 2:
            return [call(item) for item in todo]
        with ThreadPoolExecutor(_CALLERS, thread_name_prefix="ledger") as threads:
            return list(threads.map(call, todo))

    def extend(self, news: Sequence[RunNews]) -> None:
        """Add values to existing runs."""
        with plain_errors():
            if self.client and self._opened is not None:
                return self._opened.extend(news)
        # News of one run stay in their order: the calls of different runs overtake one another.
        by_run: dict[str, list[RunNews]] = {}
        for item in news:
            by_run.setdefault(item.run_id, []).append(item)
        self._each(self._log_in_order, by_run.values())
        return None

    def _log_in_order(self, news: Sequence[RunNews]) -> None:
        for item in news:
            self._log(item)

    def _log(self, news: RunNews) -> None:
        metrics = [Metric(*point) for point in news.points]
        params = [Param(name, value) for name, value in news.params.items()]
        tags = [RunTag(name, value) for name, value in news.tags.items()]
        # One call, but for hundreds of classes or epochs.
        calls = max(
            -(-len(metrics) // _METRICS), -(-len(params) // _NAMED), -(-len(tags) // _NAMED)
        )
        with plain_errors():
            for call in range(calls):
                few, many = _NAMED * call, _METRICS * call
                self.client.log_batch(
                    news.run_id,
                    metrics[many : many + _METRICS],
                    params[few : few + _NAMED],
                    tags[few : few + _NAMED],
                )

    def keep_view(self, kind: Kind, name: str, view: Mapping[str, Any]) -> None:
        """Keep a view of an experiment's runs, by name.

        MLflow's front end keeps those that users share in tags of this name (3.17).
        """
        with plain_errors():
            experiment = self._experiments.to_write(kind)
            self.client.set_experiment_tag(
                experiment.experiment_id, f"mlflow.sharedViewState.{name}", json.dumps(view)
            )

    def untag(self, run_id: str, names: Sequence[str]) -> None:
        """Remove tags of a run, as far as it has them."""
        with plain_errors():
            if self.client and self._opened is not None:
                return self._opened.untag(run_id, names)
            there = self.client.get_run(run_id).data.tags
        self._each(lambda name: self._untag(run_id, name), [n for n in names if n in there])
        return None

    def _untag(self, run_id: str, name: str) -> None:
        with plain_errors():
            self.client.delete_tag(run_id, name)

    def attach(
        self, run_id: str, files: Mapping[str, bytes], artifact_uri: str | None = None
    ) -> None:
        """Keep files with a run, by their paths among its artifacts.

        Its URI for them may be known already.
        """
        with plain_errors(), tempfile.TemporaryDirectory() as folder:
            for name, data in files.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                place = PurePosixPath(name).parent.as_posix()
                inside = None if place == "." else place
                if artifact_uri is None:
                    self.client.log_artifact(run_id, str(path), inside)
                else:
                    # The client would ask the server for this URI again.
                    repository = get_artifact_repository(artifact_uri, self._uri)
                    repository.log_artifact(str(path), inside)

    def name_data(self, run_id: str, data: DataDescription) -> None:
        """Log a data set as the input of a run."""
        with plain_errors():
            self.client.log_inputs(run_id, [dataset_input.of(data)])

    def end(self, run_ids: Sequence[str], status: str, ended_ms: int) -> None:
        """End runs."""
        with plain_errors():
            if self.client and self._opened is not None:
                return self._opened.end(run_ids, status, ended_ms)
        self._each(lambda run_id: self._end(run_id, status, ended_ms), run_ids)
        return None

    def _end(self, run_id: str, status: str, ended_ms: int) -> None:
        with plain_errors():
            self.client.set_terminated(run_id, status, ended_ms)

    def delete(self, run_ids: Sequence[str]) -> None:
        """Delete runs; MLflow keeps them until its garbage collection."""
        with plain_errors():
            if self.client and self._opened is not None and self._opened.delete(run_ids):
                return
        self._each(self._delete, run_ids)

    def _delete(self, run_id: str) -> None:
        with plain_errors():
            self.client.delete_run(run_id)

    def reopen(self, run_id: str) -> None:
        """Set a run RUNNING again."""
        with plain_errors():
            self.client.update_run(run_id, status="RUNNING")

    def folder(self, kind: Kind) -> Path | None:
        """Local folder of the runs' files; None if they are elsewhere."""
        with plain_errors():
            experiment = self.client.get_experiment_by_name(self._names[kind])
        path = None if experiment is None else local_path(str(experiment.artifact_location))
        return path if path is not None and path.is_dir() else None

    def experiment_id(self, kind: Kind) -> str | None:
        """MLflow's number of an experiment; None if there is none yet."""
        with plain_errors():
            experiment = self._experiments.find(kind)
        return None if experiment is None else str(experiment.experiment_id)

    def history(
        self, run_ids: Sequence[str], names: Sequence[str]
    ) -> list[dict[str, list[tuple[int, float]]]]:
        """(step, value) points of these metrics for each run, by step."""

        def points(of: tuple[str, str]) -> list[tuple[int, float]]:
            with plain_errors():
                history = self.client.get_metric_history(*of)
            return sorted((point.step, point.value) for point in history)

        pairs = [(run_id, name) for run_id in run_ids for name in names]
        answers = iter(self._each(points, pairs))
        return [{name: next(answers) for name in names} for _ in run_ids]

    def fetch(self, run_id: str, name: str) -> bytes | None:
        """Content of a run's file; None if it has no such file."""
        with plain_errors(), tempfile.TemporaryDirectory() as folder:
            place = PurePosixPath(name).parent.as_posix()
            inside = None if place == "." else place
            if name not in {file.path for file in self.client.list_artifacts(run_id, inside)}:
                return None
            return Path(self.client.download_artifacts(run_id, name, folder)).read_bytes()
