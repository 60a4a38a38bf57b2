"""Rows as a user's function sees them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from trainables.engine.arrays import FloatArray, IntArray
from trainables.engine.text_data import TextData

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Rows:
    """Copies of rows, which a function may change.

    Attributes:
        labels: Class ids from 0, int64 (rows,); of rows without a label all 0.
        classes: Class names by id.
        rows: Numbers of the rows in the data.
        target: Number to predict, float64 (rows,), nan in rows without one; None where classes are
            predicted.
        labelled: False for new rows, whose labels nobody knows; the frame then has none.
    """

    _data: TextData
    labels: IntArray
    classes: tuple[str, ...]
    rows: IntArray
    target: FloatArray | None
    labelled: bool = True

    @classmethod
    def of(cls, data: TextData, rows: IntArray, labelled: bool = True) -> Rows:
        """Return some rows of the data."""
        target = None
        if data.target is not None:
            target = data.target[rows].copy() if labelled else np.full(len(rows), np.nan)
        return cls(
            data,
            data.labels[rows].copy() if labelled else np.zeros(len(rows), np.int64),
            data.label_names if data.target is None else (),
            rows.copy(),
            target,
            labelled,
        )

    def unlabelled(self) -> Rows:
        """Return the same rows as new ones, whose labels nobody knows."""
        return Rows.of(self._data, self.rows, labelled=False)

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.rows)

    @cached_property
    def texts(self) -> list[str]:
        """Texts of the rows, or the rows written out as texts."""
        return [self._data.texts[row] for row in self.rows]

    @cached_property
    def texts_b(self) -> list[str] | None:
        """Second texts of pairs; None where rows are single texts."""
        if self._data.texts_b is None:
            return None
        return [self._data.texts_b[row] for row in self.rows]

    @cached_property
    def frame(self) -> pd.DataFrame:
        """All columns as a pandas frame, with the label's or target's."""
        import pandas as pd

        if self._data.frame is not None:
            frame = self._data.frame.iloc[self.rows].reset_index(drop=True).copy()
            if not self.labelled:
                frame[self._answer] = None
            return frame
        names = np.array(self._data.label_names, object)
        labels = names[self.labels] if self.labelled else [None] * len(self)
        columns = {"text": self.texts, "label": labels}
        if self.texts_b is not None:
            columns["text_b"] = self.texts_b
        if self._data.metadata is not None:
            for place, name in enumerate(self._data.metadata.names):
                columns[name] = self._data.metadata.values[self.rows, place]
        return pd.DataFrame(columns)

    @cached_property
    def features(self) -> pd.DataFrame:
        """All columns but the one to predict."""
        return self.frame.drop(columns=[self._answer])

    @property
    def _answer(self) -> str:
        """Name of the frame's column to predict."""
        answer = self._data.answer if self._data.frame is not None else None
        return "label" if answer is None else answer
