"""Sweeps of a ledger: entered, driven by one process, found again."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from search.errors import DeliveryRefusedError, FoldraceError, LedgerError, SweepTakenError
from search.ledger import payloads, records
from search.ledger.leases.claims import Claims
from search.ledger.leases.drivers import Driver, never_driven
from search.ledger.leases.lease import Lease
from search.ledger.records import LoggedRun, SweepRecord
from search.ledger.store import DataDescription, Kind, NewRun, RunNews, Store
from search.ledger.writer import LedgerWriter
from search.tracking_uri import unreachable

_log = logging.getLogger("foldrace.ledger")

# Metrics of a config, as columns of its sweep's view; the last two come with the sweep's end.
_SHOWN = ("mean", "cells", "ci_low", "ci_high", "gain", "p_best")


class SweepLog:
    """Reads and writes the sweeps of one experiment name.

    Methods that ask MLflow raise a LedgerError if it cannot be reached or refuses.

    Args:
        store: MLflow.
        where: Name of the ledger in messages, without passwords.
    """

    def __init__(self, store: Store, where: str) -> None:
        self._store = store
        self._where = where
        self._claims = Claims()
        self._lease = Lease(store, self._asking, claims=self._claims)
        self._writer = LedgerWriter(
            store,
            shared=lambda: self._lease.shared,
            living=lambda: {driver.writer for driver in self._lease.neighbours},
            on_cells=self._claims.remove,
        )
        self._damaged: set[str] = set()  # run ids of sweeps that were named

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

    def file(self, sweep_id: str, name: str) -> bytes | None:
        """Content of a sweep's attached file; None without it."""
        with self._asking():
            return self._store.fetch(sweep_id, name)

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

    def driver_of(self, sweep: str) -> tuple[Driver | None, bool | None]:
        """Driver of a sweep by name, if any, and whether it lives.

        None stands for what is not known.
        """
        return self._lease.driver_of(sweep)

    def delete(self, run_ids: Sequence[str]) -> None:
        """Delete runs; MLflow keeps them until its garbage collection."""
        with self._asking():
            self._store.delete(run_ids)
            self._writer.forget()

    @property
    def where(self) -> str:
        """Name of the ledger in messages, without passwords."""
        return self._where

    def attach(self, sweep_id: str, files: Mapping[str, str | bytes]) -> None:
        """Keep files with a sweep, by their paths among its artifacts."""
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

    def keep_view(self, sweep_id: str, axes: Sequence[str], *, least_first: bool = False) -> None:
        """Keep the view of a sweep's configs, by its run id.

        It has the best first, and columns for what tells configs apart.

        Args:
            sweep_id: Run id of the sweep.
            axes: Parameters to show.
            least_first: True where the least mean is the best.
        """
        shown = [f"metrics.`{name}`" for name in _SHOWN]
        view = {
            "searchFilter": f"tags.sweep = '{sweep_id}'",
            "orderByKey": "metrics.`mean`",
            "orderByAsc": least_first,
            "selectedColumns": [*shown, *(f"params.`{name}`" for name in axes)],
        }
        with self._asking():
            self._store.keep_view("configs", sweep_id, view)

    def sweeps(self) -> list[SweepRecord]:
        """All sweeps, newest first.

        Those whose spec is damaged are named and left out.
        """
        with self._asking():
            runs = self._store.runs("sweeps")
        sweeps = []
        for run in runs:
            if never_driven(run):
                continue
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
