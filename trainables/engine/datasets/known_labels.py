"""Labels of new rows as ids of classes that are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainables.engine.arrays import IntArray
from trainables.engine.datasets.label_cells import (
    NO_LABEL,
    composed,
    fault_of,
    is_missing,
    looks_numeric,
    name_of,
    number_in,
    short,
)
from trainables.engine.tables.table import Table

_MOST_SHOWN = 5


def class_called(name: str | None, classes: Sequence[str]) -> str | None:
    """Return the class of a typed name, in its own spelling.

    A name of no class comes back as it is.
    """
    alike = {composed(known): known for known in classes}
    return name if name is None else alike.get(composed(name.strip()), name)


@dataclass(frozen=True)
class KnownClasses:
    """Classes of a model, and labels that its training data wrote.

    Attributes:
        names: Class names by id.
        written: Label of each class in the label column, where a companion column named it; None
            where the label column did.
    """

    names: tuple[str, ...]
    written: tuple[str, ...] | None = None

    def read(self, table: Table, column: str, rows: Sequence[int]) -> KnownLabels:
        """Return the labels of some rows, read as training reads them.

        Args:
            table: The table, with a column `<column>_name` if it has one.
            column: Name of the label column.
            rows: Numbers of the rows.
        """
        cells = [table.columns[column][row] for row in rows]
        names = table.columns.get(f"{column}_name")
        own = self._of_labels(cells)
        found = own
        if names is not None:
            named = [names[row] for row in rows]
            by_name = self._of_names(named)
            if self.written is not None or _count(by_name) >= max(1, _count(own)):
                # A number under another name may be another class: the name decides.
                nameless = [is_missing(name) for name in named]
                found = [
                    b if absent else a for a, b, absent in zip(by_name, own, nameless, strict=True)
                ]
                cells = [
                    cell if absent else name
                    for cell, name, absent in zip(cells, named, nameless, strict=True)
                ]
        known = [place for place, label in enumerate(found) if label is not None]
        ids = np.array([found[place] for place in known], np.int64)
        unread = [cells[place] for place, label in enumerate(found) if label is None]
        return KnownLabels(known, ids, tuple(self._notes(unread, len(rows), column, names is None)))

    def _of_names(self, cells: Sequence[Any]) -> list[int | None]:
        """Return the class ids of the cells of a companion column."""
        ids = _ids(self.names)
        names = [None if is_missing(cell) else name_of(cell) for cell in cells]
        return [None if name is None else ids.get(composed(name)) for name in names]

    def _of_labels(self, cells: Sequence[Any]) -> list[int | None]:
        """Return the class ids of the cells of a label column."""
        labels = self.names if self.written is None else self.written
        ids, numbers = _ids(labels), _numbers(labels)
        words = {} if self.written is None else _ids(self.names)
        found: list[int | None] = []
        for cell in cells:
            name = None if is_missing(cell) else name_of(cell)
            label = None if name is None else ids.get(composed(name))
            if label is None and isinstance(cell, int | float) and not isinstance(cell, bool):
                label = numbers.get(cell)
            if label is None and name is not None and not looks_numeric(name):
                label = words.get(composed(name))
            found.append(label)
        return found

    def _notes(self, unread: Sequence[Any], rows: int, column: str, alone: bool) -> list[str]:
        """Return the reasons why rows have no known label.

        Args:
            unread: Their cells.
            rows: Number of rows asked for.
            column: Name of the label column.
            alone: True if no companion column names its numbers.
        """
        blank = sum(is_missing(cell) for cell in unread)
        names = Counter(_shown(cell) for cell in unread if not is_missing(cell))
        hidden = names.pop(NO_LABEL, 0)
        notes = []
        if blank:
            notes.append(f"{blank:,} of {rows:,} rows are not scored: column {column!r} is blank")
        if hidden:
            notes.append(
                f"{hidden:,} of {rows:,} rows are not scored: their label is -1, which the hub "
                "writes where a label is hidden"
            )
        if names:
            shown = ", ".join(f"{n} ({count:,})" for n, count in names.most_common(_MOST_SHOWN))
            more = f" and {len(names) - _MOST_SHOWN:,} more" if len(names) > _MOST_SHOWN else ""
            written = self.names if self.written is None else self.written
            labels = [
                name if name == label else f"{name} ({label})"
                for name, label in zip(self.names[:12], written, strict=False)
            ]
            classes = ", ".join(labels) + (" ..." if self.names[12:] else "")
            advice = ""
            if alone and all(map(looks_numeric, names)):
                advice = f"; a column {column + '_name'!r} can name these numbers"
            notes.append(
                f"{names.total():,} of {rows:,} rows are not scored: the model knows no class "
                f"{shown}{more}; it knows {classes}{advice}"
            )
        return notes


@dataclass(frozen=True, eq=False)
class KnownLabels:
    """Labels of rows that name a known class.

    Attributes:
        places: Places of the labelled rows among those asked for.
        ids: Their class ids, int64.
        notes: Reasons why other rows have none.
    """

    places: list[int]
    ids: IntArray
    notes: tuple[str, ...]


def _shown(cell: Any) -> str:
    name = name_of(cell)
    return short(cell) if name is None or fault_of(name) else name


def _count(found: Sequence[int | None]) -> int:
    return sum(label is not None for label in found)


def _ids(names: Sequence[str]) -> Mapping[str, int]:
    return {composed(name): number for number, name in enumerate(names)}


def _numbers(names: Sequence[str]) -> Mapping[float | int, int]:
    """Return the class of each number that names only one."""
    values = [number_in(name) for name in names]
    once = Counter(values)
    return {
        value: number
        for number, value in enumerate(values)
        if value is not None and once[value] == 1
    }
