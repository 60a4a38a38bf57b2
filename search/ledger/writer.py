"""Writer of results into MLflow's runs, each once.

Before a cell is written its earlier runs are looked up, and half-written ones deleted. A cell's run
counts once it is ended, which is the last thing written. Knows MLflow as a `Store`.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby

from search.errors import DeliveryRefusedError
from search.ledger import payloads
from search.ledger.cell_runs import FINISHED, CellRun, CellRuns
from search.ledger.payloads import Payload
from search.ledger.records import NOTE, LoggedCell, LoggedRun
from search.ledger.store import WRITER, NewRun, RunNews, Scan, Store, Wanted, age

_log = logging.getLogger("foldrace.ledger")

_ENDED = ("FINISHED", "FAILED")
_TAGS_OF_A_CELL = ("cell_key", "status", "config", "sweep", "error", "digest", "code", WRITER)


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
    """Writes payloads in the background and looks cells up for the driver.

    Args:
        store: MLflow.
        shared: Tells if another process may write cells of ours now.
        living: Names the other writers that live; their half-written runs are left alone.
        on_cells: Told the keys of cells that have arrived.
    """

    def __init__(
        self,
        store: Store,
        shared: Callable[[], bool] = lambda: False,
        living: Callable[[], Collection[str]] = frozenset,
        on_cells: Callable[[Sequence[str]], None] = lambda keys: None,
    ) -> None:
        self._store = store
        self._shared = shared
        self._living = living
        self._on_cells = on_cells
        # One conversation at a time: a look-up never sees a run that is being written.
        self.lock = threading.RLock()
        self._cells: dict[str, CellRuns] = {}  # by family
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

    def load_family(self, family: str, tidy: bool = False) -> dict[str, LoggedCell]:
        """Ended cells of a family by key; see `cells`."""
        return {cell.key: cell for cell in self.cells(family, None, tidy)}

    def cells(
        self, family: str, metrics: Sequence[str] | None, tidy: bool = False
    ) -> Iterator[LoggedCell]:
        """Ended cells of a family, each once, in any order.

        Of several runs of a key the oldest finished one counts, of equally old ones that of the
        lowest id. Once all are read, their runs are known to this writer.

        Args:
            family: Family of the cells.
            metrics: Metrics to read; params are then seed and fold alone. None reads everything.
            tidy: Delete second runs of a cell, as only the driver of a sweep may.
        """
        index = CellRuns()
        unclear: dict[str, list[tuple[LoggedRun, LoggedCell]]] = {}
        scan = self._scan(family, metrics)
        for run in scan.runs:
            key = run.tags.get("cell_key")
            if key is None:
                continue  # not written by foldrace
            before = index.of(key)
            # Pages are cut by number: while another process writes, a run may stand on two.
            if any(other.run_id == run.run_id for other in before):
                continue
            runs = [*before, CellRun.of(run)]
            index.put(key, sorted(runs, key=age) if before else runs)
            if run.status not in _ENDED:
                continue
            try:
                cell = LoggedCell.of(run.tags, run.params, run.metrics, run.run_id, run.ended_ms)
            except (KeyError, ValueError):
                continue  # edited: it does not count
            if key in scan.several:
                unclear.setdefault(key, []).append((run, cell))
            elif not any(other.status in _ENDED for other in before):
                yield cell
        for several in unclear.values():
            several.sort(key=lambda pair: age(pair[0]))
            settled = [cell for _, cell in several if cell.settled]
            yield settled[0] if settled else several[-1][1]
        with self.lock:
            if family in self._cells:  # the delivery has written some meanwhile
                index.update(self._cells[family])
            self._cells[family] = index
            if tidy:
                self._merge(index)

    def _scan(self, family: str, metrics: Sequence[str] | None) -> Scan:
        if metrics is not None:
            wanted = Wanted(tags=_TAGS_OF_A_CELL, params=("seed", "fold"), metrics=tuple(metrics))
            return self._store.scan("cells", "family", family, wanted, once="cell_key")
        runs = self._store.runs("cells", "family", family)
        counts = Counter(run.tags.get("cell_key", "") for run in runs)
        return Scan(frozenset(key for key, n in counts.items() if n > 1), iter(runs))

    def _merge(self, cells: CellRuns) -> None:
        """Leave one finished run of each key, none half-written by the dead."""
        for key, runs in cells.unclear():
            finished = sorted((run for run in runs if run.status == FINISHED), key=age)
            surplus = {run.run_id for run in finished[1:]}
            surplus |= {run.run_id for run in runs if finished and self._is_abandoned(run)}
            for run_id in surplus:
                _log.warning("cell recorded twice, the later run %s is deleted", run_id)
                self._delete(run_id)
            cells.put(key, [run for run in runs if run.run_id not in surplus])

    def _is_abandoned(self, run: CellRun) -> bool:
        """Return True for a half-written run that nobody is about to finish."""
        return run.status not in _ENDED and run.writer not in self._living()

    def _delete(self, run_id: str) -> None:
        # Another driver may have come to the same conclusion a moment ago.
        with suppress(DeliveryRefusedError):
            self._store.delete([run_id])

    def find_cell(self, key: str) -> str | None:
        """Run id of the finished cell of a key; None without one."""
        with self.lock:
            loaded = [cells.of(key) for cells in self._cells.values() if key in cells]
            runs = loaded[0] if loaded else self._search_cells([key]).get(key, [])
        return next((run.run_id for run in runs if run.status == "FINISHED"), None)

    def look_up(self, family: str, keys: Sequence[str]) -> dict[str, LoggedCell]:
        """Cells of these keys that have a result now, whoever wrote it."""
        cells: dict[str, LoggedCell] = {}
        with self.lock:
            found = self._search_cells(keys)
            known = self._cells.setdefault(family, CellRuns())
            for key, runs in found.items():
                known.put(key, runs)
                if any(run.status == "FINISHED" for run in runs):
                    for run in self._store.runs("cells", "cell_key", key):
                        if run.status == "FINISHED":
                            cells[key] = LoggedCell.of(
                                run.tags, run.params, run.metrics, run.run_id, run.ended_ms
                            )
        return cells

    def _search_cells(self, keys: Sequence[str]) -> dict[str, list[CellRun]]:
        runs: dict[str, list[CellRun]] = {}
        for run in self._store.find("cells", "cell_key", keys):
            runs.setdefault(run.tags["cell_key"], []).append(CellRun.of(run))
        return runs

    def _write_cells(self, batch: Sequence[Payload], again: bool) -> None:
        families = dict.fromkeys(payload["tags"]["family"] for payload in batch)
        for family in families:
            if family not in self._cells:
                for _ in self.cells(family, ()):
                    pass
            elif again or self._shared():
                keys = [p["tags"]["cell_key"] for p in batch if p["tags"]["family"] == family]
                runs = self._search_cells(keys)
                for key in keys:
                    self._cells[family].put(key, runs.get(key, []))
        waiting = list(batch)
        while waiting:
            # Of a key that is there twice, the second must meet the run of the first.
            first = {payload["tags"]["cell_key"]: payload for payload in reversed(waiting)}
            now = [payload for payload in waiting if first[payload["tags"]["cell_key"]] is payload]
            waiting = [
                payload for payload in waiting if first[payload["tags"]["cell_key"]] is not payload
            ]
            self._write_unlike(now, again)
        self._on_cells([payload["tags"]["cell_key"] for payload in batch])

    def _write_unlike(self, batch: Sequence[Payload], again: bool) -> None:
        """Write those cells, of different keys, that have no result yet."""
        fresh: list[Payload] = []
        for payload in batch:
            known = self._runs_of(payload)
            settled = any(run.status == "FINISHED" for run in known)
            if again and payload["tags"]["status"] == "failed":
                settled |= any(run.status == "FAILED" for run in known)
            for run in known:
                if self._is_abandoned(run):
                    self._delete(run.run_id)
            if not settled:
                fresh.append(payload)
        if not fresh:
            return
        runs = [payloads.cell_run(payload) for payload in fresh]
        run_ids = self._store.add("cells", runs, once="cell_key", shared=self._shared())
        for payload, new, run_id in zip(fresh, runs, run_ids, strict=True):
            before = self._runs_of(payload)
            tags = payload["tags"]
            self._cells[tags["family"]].put(tags["cell_key"], [CellRun(new.status, run_id)])
            for run in before:
                if run.status == "FAILED":
                    self._delete(run.run_id)  # a failed cell that was trained anew

    def _runs_of(self, payload: Payload) -> list[CellRun]:
        tags = payload["tags"]
        return self._cells[tags["family"]].of(tags["cell_key"])

    def config_metrics(self, sweep_id: str, names: Sequence[str]) -> dict[str, dict[str, float]]:
        """Finite values of metrics of a sweep's configs, by config."""
        wanted = Wanted(tags=("config",), metrics=tuple(names))
        return {
            config: {name: value for name, value in run.metrics.items() if math.isfinite(value)}
            for run in self._store.scan("configs", "sweep", sweep_id, wanted).runs
            if (config := run.tags.get("config"))
        }

    def _config_runs(self, sweep_id: str, anew: bool) -> dict[str, _ConfigRun]:
        """Runs of a sweep's configs.

        Of two of one config the older stays.
        """
        if anew or sweep_id not in self._configs:
            runs = self._store.runs("configs", "sweep", sweep_id)
            configs: dict[str, _ConfigRun] = {}
            for run in sorted(runs, key=age):
                if "config" not in run.tags:
                    continue
                if run.tags["config"] in configs:
                    self._delete(run.run_id)
                    continue
                configs[run.tags["config"]] = _ConfigRun(
                    run.run_id,
                    points=int(run.metrics.get("cells", 0)),
                    named=bool(run.params),
                    ended=run.status != "RUNNING",
                )
            self._configs[sweep_id] = configs
        return self._configs[sweep_id]

    def start_sweep(self, sweep_id: str) -> None:
        """Note a new sweep, which has no configs yet."""
        self._configs[sweep_id] = {}

    def reopen_sweep(self, sweep_id: str) -> None:
        """Note that a sweep goes on, and its configs with it."""
        self._over.pop(sweep_id, None)
        self._configs.pop(sweep_id, None)

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
            tags = {NOTE: payload["tags"][NOTE]} if NOTE in payload["tags"] else {}
            news.append(RunNews(run_id=run.run_id, points=points, params=params, tags=tags))
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
