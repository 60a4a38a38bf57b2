"""Writer of results into MLflow's runs, each once.

Before a cell is written its earlier runs are looked up, and half-written ones deleted. A cell's run
counts once it is ended, which is the last thing written. Knows MLflow as a `Store`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from search.errors import DeliveryRefusedError
from search.ledger import payloads
from search.ledger.payloads import Payload
from search.ledger.records import LoggedCell
from search.ledger.store import NewRun, RunNews, Store

_log = logging.getLogger("foldrace.ledger")

_ENDED = ("FINISHED", "FAILED")


@dataclass
class _ConfigRun:
    """Run of a config in the ledger.

    Attributes:
        run_id: Id of the run.
        points: Number of points of its curve.
        named: True where its params are there.
        ended: True once the run has ended.
    """

    run_id: str
    points: int = 0
    named: bool = False
    ended: bool = False


class LedgerWriter:
    """Writes payloads in the background and looks cells up for the driver."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # One conversation at a time: a look-up never sees a run that is being written.
        self.lock = threading.RLock()
        # family -> key -> (MLflow's status, run id) of its runs
        self._cells: dict[str, dict[str, list[tuple[str, str]]]] = {}
        self._configs: dict[str, dict[str, _ConfigRun]] = {}  # sweep -> config -> run
        self._over: dict[str, Payload] = {}  # sweep -> payload of its end

    def forget(self) -> None:
        """Forget all cells: another process may have written some."""
        self._cells.clear()

    def deliver(self, batch: Sequence[Payload], again: bool) -> None:
        """Write payloads in order.

        Args:
            batch: Payloads of any kind.
            again: True if an earlier try may have written some of them.

        Raises:
            DeliveryRefusedError: if MLflow would not have one of them, or it is damaged.
            OSError: if MLflow is not there.
        """
        try:
            with self.lock:
                for kind, group in groupby(batch, key=lambda payload: payload["kind"]):
                    if kind == "cell":
                        self._write_cells(list(group), again)
                    elif kind == "config":
                        self._write_configs(list(group), again)
                    elif kind == "sweep":
                        for payload in group:
                            self._end_sweep(payload, again)
                    else:
                        raise ValueError(f"a payload of kind {kind!r}")
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, OSError):
                raise
            raise DeliveryRefusedError(f"{type(error).__name__}: {error}") from error

    def load_family(self, family: str) -> dict[str, LoggedCell]:
        """Ended cells of a family by key.

        A second finished run of a key is deleted.
        """
        cells: dict[str, LoggedCell] = {}
        index: dict[str, list[tuple[str, str]]] = {}
        surplus: list[str] = []
        seen: set[str] = set()
        with self.lock:
            for run in self._store.runs("cells", "family", family):
                # Pages are cut by number: while another process writes, a run may stand on two.
                if run.run_id in seen:
                    continue
                seen.add(run.run_id)
                key = run.tags.get("cell_key", "")
                if run.status in _ENDED:
                    try:
                        cell = LoggedCell.of(
                            run.tags, run.params, run.metrics, run.run_id, run.ended_ms
                        )
                    except (KeyError, ValueError):
                        continue  # not written by foldrace, or edited: it does not count
                    # Newest first: the oldest finished run of a key is the one that stays.
                    if cell.status != "failed" or key not in cells:
                        other = cells.get(key)
                        if other is not None and other.status != "failed" and other.run_id:
                            surplus.append(other.run_id)
                        cells[key] = cell
                index.setdefault(key, []).append((run.status, run.run_id))
            for run_id in surplus:
                _log.warning("cell recorded twice, the later run %s is deleted", run_id)
                self._store.delete(run_id)
            self._cells[family] = {
                key: [entry for entry in runs if entry[1] not in surplus]
                for key, runs in index.items()
            }
        return cells

    def find_cell(self, key: str) -> str | None:
        """Run id of the finished cell of a key; None without one."""
        with self.lock:
            loaded = [cells[key] for cells in self._cells.values() if key in cells]
            runs = loaded[0] if loaded else self._search_cells([key]).get(key, [])
        return next((run_id for status, run_id in runs if status == "FINISHED"), None)

    def _search_cells(self, keys: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
        runs: dict[str, list[tuple[str, str]]] = {}
        for run in self._store.find("cells", "cell_key", keys):
            runs.setdefault(run.tags["cell_key"], []).append((run.status, run.run_id))
        return runs

    def _write_cells(self, batch: Sequence[Payload], again: bool) -> None:
        families = dict.fromkeys(payload["tags"]["family"] for payload in batch)
        for family in families:
            if family not in self._cells:
                self.load_family(family)
            elif again:
                keys = [p["tags"]["cell_key"] for p in batch if p["tags"]["family"] == family]
                runs = self._search_cells(keys)
                self._cells[family].update({key: runs.get(key, []) for key in keys})
        waiting = list(batch)
        while waiting:
            # Of a key that is there twice, the second must meet the run of the first.
            first = {payload["tags"]["cell_key"]: payload for payload in reversed(waiting)}
            now = [payload for payload in waiting if first[payload["tags"]["cell_key"]] is payload]
            waiting = [
                payload for payload in waiting if first[payload["tags"]["cell_key"]] is not payload
            ]
            self._write_unlike(now, again)

    def _write_unlike(self, batch: Sequence[Payload], again: bool) -> None:
        """Write those cells, of different keys, that have no result yet."""
        fresh: list[Payload] = []
        for payload in batch:
            known = self._runs_of(payload)
            settled = any(status == "FINISHED" for status, _ in known)
            if again and payload["tags"]["status"] == "failed":
                settled |= any(status == "FAILED" for status, _ in known)
            for status, run_id in known:
                if status not in _ENDED:
                    self._store.delete(run_id)
            if not settled:
                fresh.append(payload)
        if not fresh:
            return
        runs = [payloads.cell_run(payload) for payload in fresh]
        run_ids = self._store.add("cells", runs)
        for payload, run, run_id in zip(fresh, runs, run_ids, strict=True):
            before = self._runs_of(payload)
            tags = payload["tags"]
            self._cells[tags["family"]][tags["cell_key"]] = [(run.status, run_id)]
            for status, old in before:
                if status == "FAILED":
                    self._store.delete(old)  # a failed cell that was trained anew

    def _runs_of(self, payload: Payload) -> list[tuple[str, str]]:
        tags = payload["tags"]
        return self._cells[tags["family"]].get(tags["cell_key"], [])

    def _config_runs(self, sweep_id: str, anew: bool) -> dict[str, _ConfigRun]:
        if anew or sweep_id not in self._configs:
            self._configs[sweep_id] = {
                run.tags["config"]: _ConfigRun(
                    run.run_id,
                    points=int(run.metrics.get("cells", 0)),
                    named=bool(run.params),
                    ended=run.status != "RUNNING",
                )
                for run in self._store.runs("configs", "sweep", sweep_id)
                if "config" in run.tags
            }
        return self._configs[sweep_id]

    def start_sweep(self, sweep_id: str) -> None:
        """Note a new sweep, which has no configs yet."""
        self._configs[sweep_id] = {}

    def reopen_sweep(self, sweep_id: str) -> None:
        """Note that a sweep goes on, and its configs with it."""
        self._over.pop(sweep_id, None)

    def _write_configs(self, batch: Sequence[Payload], again: bool) -> None:
        # Of a config that is there twice, the later state holds all of the earlier one.
        latest = {(payload["sweep"], payload["config"]): payload for payload in batch}
        fresh: list[Payload] = []
        news: list[RunNews] = []
        looked: set[str] = set()
        for (sweep_id, config_id), payload in latest.items():
            runs = self._config_runs(sweep_id, again and sweep_id not in looked)
            looked.add(sweep_id)
            run = runs.get(config_id)
            if run is None:
                fresh.append(payload)
                continue
            params = {} if run.named else payload["params"]
            points = payloads.config_points(payload, run.points)
            news.append(RunNews(run_id=run.run_id, points=points, params=params))
        if fresh:
            run_ids = self._store.add("configs", [_config_run(payload) for payload in fresh])
            for payload, run_id in zip(fresh, run_ids, strict=True):
                self._configs[payload["sweep"]][payload["config"]] = _ConfigRun(run_id)
        if news:
            self._store.extend(news)
        for (sweep_id, config_id), payload in latest.items():
            run = self._configs[sweep_id][config_id]
            run.named, run.points = True, len(payload["curve"])
        for sweep_id in {sweep_id for sweep_id, _ in latest} & set(self._over):
            self._end_configs(self._over[sweep_id], again=False)

    def _end_sweep(self, payload: Payload, again: bool) -> None:
        sweep_id = payload["sweep"]
        points = payloads.sweep_points(payload)
        self._store.extend([RunNews(run_id=sweep_id, points=points, tags=payload["tags"])])
        self._store.attach(sweep_id, payloads.decoded(payload["files"]))
        self._end_configs(payload, again)
        self._store.end([sweep_id], payload["status"], payload["ended_ms"])
        self._over[sweep_id] = payload

    def _end_configs(self, payload: Payload, again: bool) -> None:
        runs = self._config_runs(payload["sweep"], again).values()
        running = [run for run in runs if not run.ended]
        if running:
            run_ids = [run.run_id for run in running]
            self._store.end(run_ids, payload["status"], payload["ended_ms"])
        for run in running:
            run.ended = True


def _config_run(payload: Payload) -> NewRun:
    return NewRun(
        name=payload.get("name", payload["config"]),  # a spool of an older version has none
        tags=payload["tags"],
        params=payload["params"],
        points=payloads.config_points(payload, 0),
        status="RUNNING",
        started_ms=payloads.now_ms(),
    )
