"""Reader of out-of-fold predictions by the hundred.

Asking MLflow for a file costs three requests; a leaderboard wants the files of 20 cells for every
complete config.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from search.arrays import IntArray
from search.ledger import payloads

if TYPE_CHECKING:
    from search.ledger.store import Store

Predictions = tuple[IntArray, npt.NDArray[np.float32]]
"""Held-out rows (n,) and their class probabilities (n, classes)."""

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


def unpack(data: bytes) -> Predictions:
    """Load the arrays of a predictions file."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return arrays["rows"], arrays["probabilities"]
