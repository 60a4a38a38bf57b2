"""Columns of one table, wherever they were read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainables.engine.errors import DataError

_MOST_SHOWN = 30
_LONGEST = 60


@dataclass(frozen=True)
class Table:
    """Columns of one table.

    Attributes:
        source: Path or name of the table, for messages.
        names: All column names, in the table's order.
        columns: Values of the selected columns that exist, each (rows,).
        rows: Number of rows.
        typed: True where values carry types; False where every value is a string (CSV, TSV).
        notes: Corrections by the reader, for the audit.
        hint: Advice for a missing column.
        lines: Number of each row's first line in a text file; empty elsewhere.
    """

    source: str
    names: tuple[str, ...]
    columns: Mapping[str, Sequence[Any]]
    rows: int
    typed: bool
    notes: tuple[str, ...] = ()
    hint: str = ""
    lines: Sequence[int] = ()

    def place(self, row: int) -> str:
        """Return the words for a row's place in the file."""
        return f"line {self.lines[row]:,}" if self.lines else f"data row {row + 1:,}"


def listed(names: Sequence[str]) -> str:
    """Return names of columns for a message: escaped and cut."""
    shown = [name if name.isprintable() else ascii(name)[1:-1] for name in names[:_MOST_SHOWN]]
    cut = [name if len(name) <= _LONGEST else f"{name[: _LONGEST - 3]}..." for name in shown]
    more = len(names) - len(cut)
    return ", ".join(cut) + (f" and {more:,} more" if more else "")


def _numbered(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names, numbered where blank or repeated."""
    there, times = set(names), Counter[str]()
    shown: dict[str, None] = {}
    for place, name in enumerate(names):
        new = plain = name or f"column {place + 1}"
        while new in shown or (new != name and new in there):
            times[plain] += 1
            new = f"{plain} ({times[plain] + 1})"
        shown[new] = None
    return tuple(shown)


def kept_places(
    source: str, names: Sequence[str], wanted: Collection[str] | None
) -> tuple[tuple[str, ...], dict[str, int]]:
    """Return all column names, and the places of those to keep.

    Args:
        source: Path of the table.
        names: Names as they stand in its header.
        wanted: Names of the columns to keep. None keeps all; a blank name, or one that stands
            there before, then gets a number.

    Raises:
        DataError: if a wanted name stands there twice.
    """
    if wanted is None:
        shown = _numbered(names)
        return shown, {name: place for place, name in enumerate(shown)}
    keep = {name: place for place, name in enumerate(names) if name in wanted}
    twice = next((name for name in keep if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(
            f"{source} has {names.count(twice)} columns called {listed([twice])!r}: rename all but "
            "one."
        )
    return tuple(names), keep
