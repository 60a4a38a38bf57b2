"""Rows that have no label, as the hub writes it: -1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trainables.engine.datasets.label_cells import (
    NO_LABEL,
    is_missing,
    is_plain_number,
    name_of,
)


def rows_with_label(
    rows: Sequence[int],
    labels: Sequence[Any],
    companion: Sequence[Any] | None,
    split: Sequence[Any] | None,
) -> tuple[list[int], list[str]]:
    """Return the rows that have a label, and remarks for the audit.

    On the hub -1 is no class, but the mark of a row whose label is hidden. It is taken for that
    where no such row has a class name, or where whole official parts have no other label.
    Elsewhere it stays a class: it may be one, as in -1, 0, 1.

    Args:
        rows: Numbers of the rows to look at.
        labels: Label column of the whole table.
        companion: Column of class names, if there is one.
        split: Column of official parts, if there is one.
    """
    names = {row: name_of(labels[row]) for row in rows if not is_missing(labels[row])}
    others = {name for name in names.values() if name != NO_LABEL}
    marked = [row for row, name in names.items() if name == NO_LABEL]
    if not marked or not _are_ids(others):
        return list(rows), []
    named = companion or ()
    if any(not is_missing(named[row]) for row in marked if named):
        return list(rows), []  # the column names it, so it is a class
    hidden = any(not is_missing(named[row]) for row in names if named)
    parts = _own_parts(names, split)
    count = f"{len(marked):,} row{'' if len(marked) == 1 else 's'}"
    if hidden or parts:
        place = f" (all of part {', '.join(parts)})" if parts else ""
        gone = set(marked)
        return [row for row in rows if row not in gone], [
            f"{count} with the label -1 left out{place}: the hub writes it where a label is hidden"
        ]
    return list(rows), [
        f"{count} have the label -1, which is read as a class; the hub writes it where a label is "
        "hidden: if that is so here, take these rows out of the file"
    ]


def _are_ids(names: set[str | None]) -> bool:
    """Return True for whole numbers from 0 on, as hub sets have."""
    whole = {
        name for name in names if name is not None and is_plain_number(name) and "." not in name
    }
    return (
        len(names) > 1
        and whole == names
        and "0" in names
        and not any(name.startswith("-") for name in whole)
    )


def _own_parts(names: dict[int, str | None], split: Sequence[Any] | None) -> list[str]:
    """Return the parts that are all -1, if no other has any."""
    if split is None:
        return []
    of_part: dict[str, set[bool]] = {}
    for row, name in names.items():
        part = "" if is_missing(split[row]) else str(split[row]).strip()
        of_part.setdefault(part, set()).add(name == NO_LABEL)
    if any(len(found) > 1 for found in of_part.values()):
        return []
    return [part for part, found in of_part.items() if found == {True}]
