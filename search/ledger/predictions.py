"""Reader of out-of-fold predictions by the hundred.

Asking MLflow for a file costs three requests; a leaderboard wants the files of 20 cells for every
complete config.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from search.arrays import IntArray
from search.errors import LedgerError
from search.ledger import payloads
from trainables.engine.contract import CellResult

if TYPE_CHECKING:
    from search.ledger.store import Store

Predictions = tuple[IntArray, npt.NDArray[np.float32]]
"""Held-out rows (n,) and their class probabilities (n, classes)."""

_KEY_DIGITS = 64
_READERS = 8  # files asked for at once: a server's answer is mostly waiting


def read_files(store: Store, run_ids: Sequence[str]) -> Iterator[bytes | None]:
    """Read the predictions file of each cell's run, if any.

    Raises:
        DeliveryRefusedError: if MLflow refuses.
        OSError: if it does not answer.
    """
    folder = store.folder("cells")

    def read(run_id: str) -> bytes | None:
        path = Path() if folder is None else folder / run_id / "artifacts" / payloads.PREDICTIONS
        return path.read_bytes() if path.is_file() else store.fetch(run_id, payloads.PREDICTIONS)

    with ThreadPoolExecutor(_READERS) as pool:
        yield from pool.map(read, run_ids)


class PredictionReader:
    """Predictions of cells, in MLflow or on their way there.

    Args:
        store: MLflow.
        waiting: Gives the cells that MLflow does not have yet.
        find: Gives the run id of the finished cell of a key; None without one.
        asking: Makes the context in which MLflow may be called; one that takes turns with writers.
        plain: The same, beside them.
        where: Name of the ledger in messages.
    """

    def __init__(
        self,
        store: Store,
        waiting: Callable[[], Iterable[payloads.Payload]],
        find: Callable[[str], str | None],
        asking: Callable[[], AbstractContextManager[None]],
        plain: Callable[[], AbstractContextManager[None]],
        where: str,
    ) -> None:
        self._store = store
        self._waiting = waiting
        self._find = find
        self._asking = asking
        self._plain = plain
        self._where = where

    def one(self, ref: str) -> Predictions:
        """Predictions of a cell by its key or its run id.

        Raises:
            LedgerError: if there is no such cell, it has none, or MLflow cannot be reached.
        """
        if (result := self._on_its_way([ref]).get(ref)) is not None:
            return result.rows, result.probabilities
        with self._asking():
            run_id = self._found(ref) if len(ref) == _KEY_DIGITS else ref
            data = self._store.fetch(run_id, payloads.PREDICTIONS)
        return self._unpacked(data, ref)

    def many(self, keys: Sequence[str]) -> Iterator[Predictions]:
        """Predictions of finished cells, in order, read at once.

        Raises:
            LedgerError: if a cell or its predictions are missing, or MLflow cannot be reached.
        """
        waiting = self._on_its_way(keys)
        with self._asking():
            run_ids = [self._found(key) for key in keys if key not in waiting]
        with self._plain():
            files = read_files(self._store, run_ids)
            for key in keys:
                if (result := waiting.get(key)) is not None:
                    yield result.rows, result.probabilities
                else:
                    yield self._unpacked(next(files), key)

    def _on_its_way(self, keys: Sequence[str]) -> dict[str, CellResult]:
        wanted = set(keys)
        return {
            payload["result"]["key"]: CellResult.from_json(payload["result"])
            for payload in self._waiting()
            if payload["kind"] == "cell" and payload["result"]["key"] in wanted
        }

    def _found(self, key: str) -> str:
        run_id = self._find(key)
        if run_id is None:
            raise LedgerError(f"No finished cell {key!r} in {self._where}.")
        return run_id

    def _unpacked(self, data: bytes | None, ref: str) -> Predictions:
        if data is None:
            raise LedgerError(f"Cell {ref!r} in {self._where} has no predictions.")
        return unpack(data)


def unpack(data: bytes) -> Predictions:
    """Load the arrays of a predictions file."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return arrays["rows"], arrays["probabilities"]
