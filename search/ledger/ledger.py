"""The ledger: cells, configs and sweeps, recorded once and found again.

Free of MLflow, which it knows as a `Store`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from search.errors import (
    InputError,
)
from search.ledger import payloads
from search.ledger.delivery import Delivery
from search.ledger.leases.neighbours import Neighbours
from search.ledger.payloads import Trained
from search.ledger.predictions import PredictionReader, Predictions
from search.ledger.records import LoggedCell
from search.ledger.spool import Spool
from search.ledger.store import Store
from search.ledger.sweep_log import SweepLog
from search.tracking_uri import check_folder
from trainables.engine.contract import Scalar

_log = logging.getLogger("foldrace.ledger")
_SWEEP_ENDS = ("FINISHED", "KILLED", "FAILED")


class Ledger(SweepLog):
    """Reads and writes the cells, configs and sweeps of one experiment name.

    A context manager: leaving it delivers the rest of the spool, as long as results arrive. Methods
    that ask MLflow raise a LedgerError if it cannot be reached or refuses.

    Args:
        store: MLflow.
        spool_folder: Folder of results that the store does not have yet.
        where: Name of the ledger in messages, without passwords.
    """

    def __init__(self, store: Store, spool_folder: Path, where: str) -> None:
        super().__init__(store, where)
        self._spool_folder = spool_folder
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

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
            # Why the disk did not take them has been said when the first came.
            _log.error(
                "%d results are lost: they were in memory only, and MLflow did not take them.",
                left.lost,
            )
        return left.waiting + left.refused + left.lost

    def known_cells(self, family: str) -> dict[str, LoggedCell]:
        """All cells of a family with a result, by key.

        See `cells`.
        """
        return {cell.key: cell for cell in self.cells(family, None)}

    def cells(self, family: str, metrics: Sequence[str] | None) -> Iterator[LoggedCell]:
        """All cells of a family with a result, each once.

        Their order is any, and they are to be read to the end. Those in the spool count. A "failed"
        cell is among them, and may be recorded anew. Results that dead processes left in the spool
        are taken over and delivered. The driver of a sweep deletes second runs of a cell; whoever
        only reads deletes nothing.

        Args:
            family: Family of the cells.
            metrics: Metrics to read, for a million cells in little memory; of params they then
                have seed and fold alone. None reads everything.
        """
        with self._asking():
            self._writer.forget()
            if self._lease.driver is None:
                self._lease.look_around(family)
            self._delivery.adopt()
        # First what waits: on its way to MLflow a cell is then in both places, never in neither.
        waiting: dict[str, LoggedCell] = {}
        for payload in self._delivery.waiting():
            if payload["kind"] == "cell" and payload["tags"]["family"] == family:
                cell = payloads.waiting_cell(payload)
                waiting[cell.key] = cell
        settled: set[str] = set()
        with self._plain():
            for cell in self._writer.cells(family, metrics, tidy=self._lease.driver is not None):
                if cell.status == "failed" and cell.key in waiting:
                    continue
                waiting.pop(cell.key, None)
                if cell.status != "failed":
                    settled.add(cell.key)
                yield cell
        yield from waiting.values()
        settled.update(key for key, cell in waiting.items() if cell.status != "failed")
        self._settled[family] = settled

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
        note: str = "",
        more: Mapping[str, float] | None = None,
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
            note: Description of its run.
            more: Further metrics of its run, by name.
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
            note=note,
            more=more,
        )
        self._delivery.update(f"{sweep_id} {config_id}", payload)

    def config_metrics(self, sweep_id: str, names: Sequence[str]) -> dict[str, dict[str, float]]:
        """Finite values of metrics of a sweep's configs, by config."""
        with self._asking():
            return self._writer.config_metrics(sweep_id, names)

    def take_in(self) -> int:
        """Deliver what dead processes left; returns the number still waiting."""
        self._delivery.adopt()
        self.flush()
        return self.pending

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
