"""Writes results once: what was tried before is looked up, what is half written is deleted.

A cell's run counts once it is ended, which is the last thing written. Knows MLflow as a `Store`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from search import payloads
from search.delivery import RefusedError
from search.payloads import Payload, Point
from search.records import LoggedCell, LoggedRun

_log = logging.getLogger("foldrace.ledger")

Kind = Literal["configs", "cells", "sweeps"]
"""Which of the three experiments."""

_ENDED = ("FINISHED", "FAILED")


class Store(Protocol):
    """MLflow, as far as it is needed here.

    Every call raises RefusedError if the answer was a refusal, OSError if there was none.
    """

    def runs(self, kind: Kind, filter_string: str) -> Iterator[LoggedRun]:
        """All runs that match, newest first."""
        ...

    def create(self, kind: Kind, run_name: str, tags: Mapping[str, str], started_ms: int) -> str:
        """A new run, RUNNING; its id."""
        ...

    def log(
        self,
        run_id: str,
        points: list[Point],
        params: Mapping[str, str],
        tags: Mapping[str, str],
    ) -> None:
        """Values of a run, in as few calls as there can be."""
        ...

    def attach(self, run_id: str, files: Mapping[str, bytes]) -> None:
        """Files of a run."""
        ...

    def fetch(self, run_id: str, name: str) -> bytes | None:
        """A file of a run; None if it has no such file."""
        ...

    def folder(self, kind: Kind) -> Path | None:
        """Where on this machine the runs' files lie; None if on a server or in a bucket."""
        ...

    def reopen(self, run_id: str) -> None:
        """Set a run RUNNING again."""
        ...

    def end(self, run_id: str, status: str, ended_ms: int) -> None:
        """A run's end, with MLflow's word for it."""
        ...

    def delete(self, run_id: str) -> None:
        """Take a run out of sight; MLflow keeps it until its garbage collection."""
        ...


@dataclass
class _ConfigRun:
    """What the ledger has of a config: `points` of its curve; `named` if params are there."""

    run_id: str
    points: int = 0
    named: bool = False
    ended: bool = False


class Recorder:
    """What the background thread does, and the look-ups that it shares with the driver."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # One conversation at a time: a look-up never sees a run that is being written.
        self.lock = threading.RLock()
        # family -> key -> (MLflow's status, run id) of its runs
        self._cells: dict[str, dict[str, list[tuple[str, str]]]] = {}
        self._configs: dict[str, dict[str, _ConfigRun]] = {}  # sweep -> config -> run
        self._over: dict[str, Payload] = {}  # sweep -> how it ended

    def forget(self) -> None:
        """Look cells up anew before the next is written: another process may have written some."""
        self._cells.clear()

    def deliver(self, payload: Payload, again: bool) -> None:
        """Write a payload; `again` if an earlier try of it may have written some of it.

        Raises:
            RefusedError: if MLflow would not have it, or it is damaged.
            OSError: if MLflow is not there.
        """
        write = {"cell": self._write_cell, "config": self._write_config, "sweep": self._end_sweep}
        try:
            with self.lock:
                write[payload["kind"]](payload, again)
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, OSError):
                raise
            raise RefusedError(f"{type(error).__name__}: {error}") from error

    def load_family(self, family: str) -> dict[str, LoggedCell]:
        """The ended cells of a family by key; a second finished run of a key is deleted."""
        found: dict[str, LoggedCell] = {}
        index: dict[str, list[tuple[str, str]]] = {}
        surplus: list[str] = []
        with self.lock:
            for run in self._store.runs("cells", f"tags.family = '{family}'"):
                key = run.tags.get("cell_key", "")
                if run.status in _ENDED:
                    try:
                        cell = LoggedCell.of(run.tags, run.params, run.metrics, run.run_id)
                    except (KeyError, ValueError):
                        continue  # not written by foldrace, or edited: nothing to count on
                    # Newest first: the oldest finished run of a key is the one that stays.
                    if cell.status != "failed" or key not in found:
                        other = found.get(key)
                        if other is not None and other.status != "failed" and other.run_id:
                            surplus.append(other.run_id)
                        found[key] = cell
                index.setdefault(key, []).append((run.status, run.run_id))
            for run_id in surplus:
                _log.warning("cell recorded twice, the later run %s is deleted", run_id)
                self._store.delete(run_id)
            self._cells[family] = {
                key: [entry for entry in runs if entry[1] not in surplus]
                for key, runs in index.items()
            }
        return found

    def find_cell(self, key: str) -> str | None:
        """Run id of the finished cell of this key."""
        with self.lock:
            loaded = [cells[key] for cells in self._cells.values() if key in cells]
            runs = loaded[0] if loaded else self._search_cell(key)
        return next((run_id for status, run_id in runs if status == "FINISHED"), None)

    def _search_cell(self, key: str) -> list[tuple[str, str]]:
        runs = self._store.runs("cells", f"tags.cell_key = '{key}'")
        return [(run.status, run.run_id) for run in runs]

    def _write_cell(self, payload: Payload, again: bool) -> None:
        tags = payload["tags"]
        key, family = tags["cell_key"], tags["family"]
        if family not in self._cells:
            self.load_family(family)
        elif again:
            self._cells[family][key] = self._search_cell(key)
        known = self._cells[family]
        before = known.get(key, [])
        settled = any(status == "FINISHED" for status, _ in before)
        if again and tags["status"] == "failed":
            settled |= any(status == "FAILED" for status, _ in before)
        for status, run_id in before:
            if status not in _ENDED:
                self._store.delete(run_id)
        if settled:
            return
        run_id = self._store.create(
            "cells", payload["run_name"], tags, payloads.cell_start_ms(payload)
        )
        self._store.log(run_id, payloads.cell_points(payload), payload["params"], {})
        files = payloads.cell_files(payload)
        if files:
            self._store.attach(run_id, files)
        status = "FAILED" if tags["status"] == "failed" else "FINISHED"
        self._store.end(run_id, status, payload["ended_ms"])
        known[key] = [(status, run_id)]
        for old_status, old in before:
            if old_status == "FAILED":
                self._store.delete(old)  # a failed cell that was trained anew

    def _config_runs(self, sweep_id: str, anew: bool) -> dict[str, _ConfigRun]:
        if anew or sweep_id not in self._configs:
            self._configs[sweep_id] = {
                run.tags["config"]: _ConfigRun(
                    run.run_id,
                    points=int(run.metrics.get("cells", 0)),
                    named=bool(run.params),
                    ended=run.status != "RUNNING",
                )
                for run in self._store.runs("configs", f"tags.sweep = '{sweep_id}'")
                if "config" in run.tags
            }
        return self._configs[sweep_id]

    def start_sweep(self, sweep_id: str) -> None:
        """A sweep of this process has no configs yet."""
        self._configs[sweep_id] = {}

    def reopen_sweep(self, sweep_id: str) -> None:
        """A sweep goes on: its configs are no longer ended with it."""
        self._over.pop(sweep_id, None)

    def _write_config(self, payload: Payload, again: bool) -> None:
        config_id, sweep_id = payload["config"], payload["sweep"]
        runs = self._config_runs(sweep_id, again)
        run = runs.get(config_id)
        if run is None:
            run_id = self._store.create("configs", config_id, payload["tags"], payloads.now_ms())
            run = runs[config_id] = _ConfigRun(run_id)
        self._store.log(
            run.run_id,
            payloads.config_points(payload, run.points),
            {} if run.named else payload["params"],
            {},
        )
        run.named, run.points = True, len(payload["curve"])
        if sweep_id in self._over:
            self._end_config(run, self._over[sweep_id])

    def _end_sweep(self, payload: Payload, again: bool) -> None:
        sweep_id = payload["sweep"]
        self._store.log(sweep_id, payloads.sweep_points(payload), {}, payload["tags"])
        self._store.attach(sweep_id, payloads.decoded(payload["files"]))
        for run in self._config_runs(sweep_id, again).values():
            self._end_config(run, payload)
        self._store.end(sweep_id, payload["status"], payload["ended_ms"])
        self._over[sweep_id] = payload

    def _end_config(self, run: _ConfigRun, payload: Payload) -> None:
        if not run.ended:
            self._store.end(run.run_id, payload["status"], payload["ended_ms"])
            run.ended = True
