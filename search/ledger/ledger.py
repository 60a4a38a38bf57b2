"""The ledger: cells, configs and sweeps, recorded once and found again.

Free of MLflow, which it knows as a `Store`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from search.errors import (
    DeliveryRefusedError,
    FoldraceError,
    InputError,
    LedgerError,
    SweepTakenError,
)
from search.ledger import payloads, records
from search.ledger.delivery import Delivery
from search.ledger.leases.claims import Claims
from search.ledger.leases.lease import Lease
from search.ledger.leases.neighbours import Neighbours
from search.ledger.payloads import Trained
from search.ledger.predictions import PredictionReader, Predictions
from search.ledger.records import LoggedCell, LoggedRun, SweepRecord
from search.ledger.spool import Spool
from search.ledger.store import DataDescription, Kind, NewRun, RunNews, Store
from search.ledger.writer import LedgerWriter
from search.tracking_uri import check_folder, unreachable
from trainables.engine.contract import Scalar

_log = logging.getLogger("foldrace.ledger")
_SWEEP_ENDS = ("FINISHED", "KILLED", "FAILED")


class Ledger:
    """Reads and writes the cells, configs and sweeps of one experiment name.

    A context manager: leaving it delivers the rest of the spool, as long as results arrive. Methods
    that ask MLflow raise a LedgerError if it cannot be reached or refuses.

    Args:
        store: MLflow.
        spool_folder: Folder of results that the store does not have yet.
        where: Name of the ledger in messages, without passwords.
    """

    def __init__(self, store: Store, spool_folder: Path, where: str) -> None:
        self._store = store
        self._spool_folder = spool_folder
        self._where = where
        self._claims = Claims()
        self._lease = Lease(store, self._asking, claims=self._claims)
        self._writer = LedgerWriter(
            store,
            shared=lambda: self._lease.shared,
            living=lambda: {driver.writer for driver in self._lease.neighbours},
            on_cells=self._claims.remove,
        )
        self._neighbours = Neighbours(
            store, self._asking, self._lease, self._claims, self._writer.look_up
        )
        self._delivery = Delivery(Spool(spool_folder), self._writer.deliver)
        self._predictions = PredictionReader(
            store,
            self._delivery.waiting,
            self._writer.find_cell,
            self._asking,
            self._plain,
            where,
        )
        self._settled: dict[str, set[str]] = {}  # family -> keys that need no recording any more
        self._damaged: set[str] = set()  # run ids of sweeps that were named

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def _asking(self, failure: type[FoldraceError] = LedgerError) -> Iterator[None]:
        """Talk to MLflow alone; a failure becomes an error for the user."""
        with self._plain(failure), self._writer.lock:
            yield

    @contextmanager
    def _plain(self, failure: type[FoldraceError] = LedgerError) -> Iterator[None]:
        try:
            yield
        except DeliveryRefusedError as error:
            raise failure(f"{self._where} refused: {error}") from error
        except OSError as error:
            raise failure(unreachable(self._where, str(error))) from error

    @property
    def pending(self) -> int:
        """Number of results and config states that MLflow lacks."""
        return self._delivery.pending

    def flush(self, timeout_s: float = 60.0) -> bool:
        """Wait until MLflow has everything; False on a timeout."""
        return self._delivery.flush(timeout_s)

    def check(self) -> None:
        """Make sure that results can be written here.

        Takes some 5 seconds at most where nobody answers. A new sqlite file is made by the first
        result, not here.

        Raises:
            InputError: naming the ledger, its fault and the way out.
        """
        check_folder(self._spool_folder, "The folder of results that wait for MLflow,")
        try:
            with self._asking(InputError):
                self._store.ping()
        except ImportError as error:
            raise InputError(
                f"{self._where} needs a database driver that is not installed ({error}). Install "
                "it, or use a server: http://host:5000."
            ) from error

    def close(self, patience_s: float = 10.0) -> int:
        """Deliver and stop; returns the number of undelivered items.

        Args:
            patience_s: Longest wait for the next arrival.
        """
        left = self._delivery.close(patience_s)
        self._lease.release()
        if left.waiting:
            _log.warning(
                "MLflow does not have %d results yet; they lie in %s, and the next foldrace "
                "command on this ledger delivers them.",
                left.waiting,
                self._spool_folder,
            )
        if left.lost:
            _log.error(
                "%d results are lost: they were in memory only. %s",
                left.lost,
                self._delivery.unkept,
            )
        return left.waiting + left.refused + left.lost

    def known_cells(self, family: str) -> dict[str, LoggedCell]:
        """All cells of a family with a result, by key.

        Those in the spool count. A "failed" cell is among them, and may be recorded anew. Results
        that dead processes left in the spool are taken over and delivered. The driver of a sweep
        deletes second runs of a cell; whoever only reads deletes nothing.
        """
        # The lock keeps the delivery waiting meanwhile: no cell is in neither place.
        with self._asking():
            self._writer.forget()
            if self._lease.driver is None:
                self._lease.look_around(family)
            self._delivery.adopt()
            cells = self._writer.load_family(family, tidy=self._lease.driver is not None)
        for payload in self._delivery.waiting():
            if payload["kind"] == "cell" and payload["tags"]["family"] == family:
                cell = payloads.waiting_cell(payload)
                if cell.key not in cells or cells[cell.key].status == "failed":
                    cells[cell.key] = cell
        self._settled[family] = {k for k, cell in cells.items() if cell.status != "failed"}
        return cells

    def record(self, trained: Sequence[Trained]) -> None:
        """Keep results: on disk when this returns, in MLflow soon after.

        A key that has a result that did not fail, as far as this process knows, is left alone.
        MLflow may be away.

        Args:
            trained: Cells that came in together; they take one file on disk, however many they are.
        """
        fresh: list[payloads.Payload] = []
        for item in trained:
            settled = self._settled.setdefault(item.tags["family"], set())
            if item.cell.key in settled:
                continue
            if item.result.status != "failed":
                settled.add(item.cell.key)
            fresh.append(payloads.of_cell(item))
        if fresh:
            self._delivery.send(*fresh)

    def predictions(self, ref: str) -> Predictions:
        """Held-out rows (n,) and their class probabilities (n, classes).

        Args:
            ref: A cell's key, or the run id of a cell.

        Raises:
            LedgerError: if there is no such cell, it has none, or MLflow cannot be reached.
        """
        return self._predictions.one(ref)

    def predictions_of(self, keys: Sequence[str]) -> Iterator[Predictions]:
        """Predictions of many finished cells, in order, read at once.

        Raises:
            LedgerError: if a cell or its predictions are missing, or MLflow cannot be reached.
        """
        return self._predictions.many(keys)

    def curves(
        self, run_ids: Sequence[str], names: Sequence[str]
    ) -> list[dict[str, list[tuple[int, float]]]]:
        """(epoch, value) points of metrics, for each cell's run."""
        with self._asking():
            return self._store.history(run_ids, names)

    def file(self, sweep_id: str, name: str) -> bytes | None:
        """Content of a sweep's attached file; None without it."""
        with self._asking():
            return self._store.fetch(sweep_id, name)

    def record_config(
        self,
        sweep_id: str,
        config_id: str,
        *,
        name: str | None = None,
        mean: float | None = None,
        params: Mapping[str, Scalar],
        scores: Sequence[float],
        seconds: float,
        tags: Mapping[str, str],
        interval: tuple[float, float] | None = None,
    ) -> None:
        """Show the latest state of a config within 2 s; never raises.

        Args:
            sweep_id: Run id of the sweep.
            config_id: Id of the config, unique within the sweep.
            name: Name of its run; None for the id.
            mean: Mean adjusted for the blocks that it lacks; None for the mean of its cells.
            params: The config.
            scores: Scores of its cells so far; the mean of the first n is step n of its curve.
            seconds: Training time of its cells.
            tags: Tags of the run: space, data, model ...
            interval: Interval of the mean; ci_low and ci_high in MLflow.
        """
        payload = payloads.of_config(
            sweep_id,
            config_id,
            params,
            scores,
            seconds,
            tags,
            interval,
            name=name or config_id,
            mean=mean,
        )
        self._delivery.update(f"{sweep_id} {config_id}", payload)

    def check_free(self, name: str) -> None:
        """Refuse a sweep's name early, before its data are read.

        Raises:
            SweepTakenError: if a process of this machine drives a sweep of this name.
        """
        self._lease.check_free(name)

    def start_sweep(
        self,
        name: str,
        spec_json: Mapping[str, Any],
        tags: Mapping[str, str],
        *,
        take_over: bool = False,
        unique: bool = False,
    ) -> str:
        """Enter a sweep and its spec, without passwords; returns its id.

        From then on until `close` this process is the one that drives sweeps of this name.

        Args:
            name: Name of the sweep.
            spec_json: Its spec.
            tags: Tags of its run; `family` is that of its cells.
            take_over: Take the place of a living driver of this name.
            unique: Refuse a name that a sweep has already, ended or not.

        Raises:
            SweepTakenError: if another process drives a sweep of this name.
            LedgerError: if MLflow cannot be reached or refuses.
        """
        spec = records.redacted(spec_json)
        written = {**records.tag_values(tags), **records.spec_tags(spec)}

        def enter(lease: Mapping[str, str]) -> str:
            run = NewRun(
                name=name,
                tags={**written, **lease},
                params=records.spec_params(spec),
                points=(),
                status="RUNNING",
                started_ms=payloads.now_ms(),
                files={"spec.json": json.dumps(spec, indent=2).encode()},
            )
            with self._asking():
                (sweep_id,) = self._store.add("sweeps", [run])
                self._writer.start_sweep(sweep_id)
            return sweep_id

        family = tags.get("family", "")
        sweep_id = self._lease.take(name, family, enter, own_run=True, take_over=take_over)
        if unique and any(s.name == name and s.id != sweep_id for s in self.sweeps()):
            self._lease.release()
            with self._asking():
                self._store.delete([sweep_id])
            raise SweepTakenError(f"Sweep {name!r} is there already, in {self._where}.")
        return sweep_id

    def name_data(self, sweep_id: str, data: DataDescription) -> None:
        """Log the data of a sweep as an MLflow data set."""
        with self._asking():
            self._store.name_data(sweep_id, data)

    def resume_sweep(self, sweep_id: str, *, take_over: bool = False) -> None:
        """Reopen a sweep that ended or was killed; drive it until `close`.

        Args:
            sweep_id: Run id of the sweep.
            take_over: Take the place of a living driver.

        Raises:
            SweepTakenError: if another process drives it.
            LedgerError: if there is none of this id, or MLflow cannot be reached.
        """
        sweep = next((sweep for sweep in self.sweeps() if sweep.id == sweep_id), None)
        if sweep is None:
            raise LedgerError(f"No sweep has the run id {sweep_id!r} in {self._where}.")

        def enter(lease: Mapping[str, str]) -> str:
            with self._asking():
                self._store.extend([RunNews(run_id=sweep_id, tags=lease)])
            return sweep_id

        family = sweep.tags.get("family", "")
        self._lease.take(sweep.name, family, enter, own_run=False, take_over=take_over)
        with self._asking():
            self._store.reopen(sweep_id)
            self._writer.reopen_sweep(sweep_id)

    def check_quiet(self, families: Collection[str]) -> None:
        """Refuse while a sweep of these families has a driver.

        Raises:
            SweepTakenError: naming the driver.
        """
        self._lease.check_quiet(families)

    def hold_sweep(self, sweep_id: str, name: str, family: str) -> None:
        """Keep all drivers from a sweep that ended, until `close`.

        Args:
            sweep_id: Run id of the sweep.
            name: Its name.
            family: Family of its cells.

        Raises:
            SweepTakenError: if a driver of this name lives.
            LedgerError: if MLflow cannot be reached.
        """

        def enter(lease: Mapping[str, str]) -> str:
            with self._asking():
                self._store.extend([RunNews(run_id=sweep_id, tags=lease)])
            return sweep_id

        self._lease.take(name, family, enter, own_run=False)

    def take_in(self) -> int:
        """Deliver what dead processes left; returns the number still waiting."""
        self._delivery.adopt()
        self.flush()
        return self.pending

    def delete(self, run_ids: Sequence[str]) -> None:
        """Delete runs; MLflow keeps them until its garbage collection."""
        with self._asking():
            self._store.delete(run_ids)
            self._writer.forget()

    @property
    def where(self) -> str:
        """Name of the ledger in messages, without passwords."""
        return self._where

    @property
    def halted(self) -> str | None:
        """Reason to train no further cell; None while there is none."""
        return self._lease.lost or self._delivery.unkept

    def claim(self, family: str, keys: Sequence[str]) -> tuple[dict[str, LoggedCell], set[str]]:
        """Claim cells that are about to be trained, see search/ledger/leases/neighbours.py.

        Returns:
            Cells that another sweep has trained meanwhile, and keys of those that it trains now;
            the rest is ours.
        """
        found, busy = self._neighbours.claim(family, keys)
        self._settled.setdefault(family, set()).update(found)
        return found, busy

    def finish_sweep(self, sweep_id: str, status: str, summary: Mapping[str, Any]) -> None:
        """Enter the end of a sweep and its configs.

        It reaches MLflow as soon as that is there.

        Args:
            sweep_id: Run id of the sweep.
            status: MLflow's: FINISHED, KILLED (interrupted, out of time) or FAILED.
            summary: A JSON value: kept as leaderboard.json, its numbers as metrics.

        Raises:
            ValueError: for another status.
        """
        if status not in _SWEEP_ENDS:
            raise ValueError(f"status must be one of {', '.join(_SWEEP_ENDS)}, got {status!r}.")
        self._delivery.send(payloads.of_sweep_end(sweep_id, status, summary))

    def attach(self, sweep_id: str, files: Mapping[str, str | bytes]) -> None:
        """Keep files (a report, an audit) with a sweep, by name."""
        with self._asking():
            self._store.attach(sweep_id, payloads.decoded(payloads.encoded(files)))

    def tag_sweep(self, sweep_id: str, tags: Mapping[str, str]) -> None:
        """Give a sweep's run more tags."""
        with self._asking():
            self._store.extend([RunNews(run_id=sweep_id, tags=records.tag_values(tags))])

    def runs(self, kind: Kind, tag: str | None = None, value: str = "") -> list[LoggedRun]:
        """Runs of an experiment, all or of a tag's value, newest first.

        They are as they are: nothing is tidied, and nothing that waits is delivered.
        """
        with self._asking():
            return self._store.runs(kind, tag, value)

    def folder(self, kind: Kind) -> Path | None:
        """Local folder of the files of an experiment's runs, if any."""
        with self._asking():
            return self._store.folder(kind)

    def experiment_id(self) -> str | None:
        """MLflow's number of the configs' experiment; None if there is none yet."""
        with self._asking():
            return self._store.experiment_id("configs")

    def sweeps(self) -> list[SweepRecord]:
        """All sweeps, newest first.

        Those whose spec is damaged are named and left out.
        """
        with self._asking():
            runs = self._store.runs("sweeps")
        sweeps = []
        for run in runs:
            try:
                sweeps.append(SweepRecord.of(run))
            except LedgerError as error:
                if run.run_id not in self._damaged:
                    _log.warning("%s It is left out.", error)
                self._damaged.add(run.run_id)
        return sweeps

    def find_sweep(self, ref: str) -> SweepRecord:
        """Find a sweep by name, by run id, or by `latest`.

        The newest of several is taken.

        Raises:
            InputError: if there is none; names the nearest.
            LedgerError: if MLflow cannot be reached.
        """
        return records.pick_sweep(self.sweeps(), ref, self._where)
