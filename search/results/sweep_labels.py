"""True labels of a sweep's rows, kept with the sweep.

A leaderboard can be asked for where the data no longer are, so a sweep keeps its labels when it
starts: two numbers a row, once, not once a cell.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np

from search.arrays import IntArray
from search.errors import LedgerError

FILE = "labels.npz"


@dataclass(frozen=True, eq=False)
class SweepLabels:
    """Labels by row of the data set.

    Attributes:
        labels: Class ids, int64 (rows,).
        groups: Rows with the same text share a number, int64 (rows,).
        label_names: Class names by id.
    """

    labels: IntArray
    groups: IntArray
    label_names: tuple[str, ...]

    def to_bytes(self) -> bytes:
        """A compressed .npz without pickles."""
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            labels=self.labels.astype(np.int32),
            groups=self.groups.astype(np.int32),
            label_names=np.array(self.label_names, np.str_),
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> SweepLabels:
        """The inverse of `to_bytes`.

        Raises:
            LedgerError: if the file is not what `to_bytes` writes.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                return cls(
                    arrays["labels"].astype(np.int64),
                    arrays["groups"].astype(np.int64),
                    tuple(arrays["label_names"].tolist()),
                )
        except (OSError, KeyError, ValueError) as error:
            raise LedgerError(f"{FILE} of the sweep is damaged: {error}") from error
