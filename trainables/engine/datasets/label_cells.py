"""Cells of a label column as names, wherever labels are read.

A label is the name that stands in the cell. Only where the file itself says that a value is a
number does its spelling not count: 0 and 0.0 of a numeric column are one label, the strings "0" and
"0.0" are two.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_PLAIN_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_WHOLE = re.compile(r"[+-]?[0-9]+")
_LONGEST_NAME = 256
# Controls, halves of characters, and signs that turn the direction of a line.
_UNSOUND = {"Cc", "Cs", "Zl", "Zp"}
_TURNING = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
NO_LABEL = "-1"
"""Label by which the hub says that a row has none."""
MISSING_WORDS = frozenset(
    ("nan", "NaN", "NAN", "NaT", "NULL", "Null", "null", "None", "<NA>", "N/A", "n/a", "#N/A")
)
"""Words that programs write for a missing value."""


def is_missing(value: Any) -> bool:
    """Return True for an empty cell: None, NaN, or blank text."""
    if value is None:
        return True
    if isinstance(value, float):
        return math.isnan(value)
    return isinstance(value, str) and not value.strip()


def looks_numeric(value: str) -> bool:
    """Return True for a string that is a number: 7, -1, 1e-3."""
    return _NUMBER.fullmatch(value.strip()) is not None


def is_plain_number(name: str) -> bool:
    """Return True for a number as programs write it: 7, not 007."""
    return _PLAIN_NUMBER.fullmatch(name) is not None


def name_of(value: Any) -> str | None:
    """Return a label's name; None for a value that is no label.

    A whole number is named alike however its type writes it.

    Args:
        value: Cell, not missing.
    """
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return shown_number(value)
    if isinstance(value, float) and value.is_integer():
        return shown_number(int(value))
    return None


def shown_number(value: int) -> str:
    """Return a whole number in decimal digits, a huge one in hexadecimal."""
    try:
        return str(value)
    except ValueError:  # Python writes no more than 4,300 digits
        return hex(value)


def composed(name: str) -> str:
    """Return the form by which names are compared: composed accents."""
    return unicodedata.normalize("NFC", name)


def number_in(name: str) -> float | int | None:
    """Return the number that a name writes, None for a word."""
    if not looks_numeric(name):
        return None
    return int(name) if _WHOLE.fullmatch(name) else float(name)


def fault_of(name: str) -> str | None:
    """Return the reason why a name can be no class, if any."""
    for character in name:
        if unicodedata.category(character) in _UNSOUND or character in _TURNING:
            code = f"U+{ord(character):04X}"
            if unicodedata.category(character) == "Cs":
                return f"holds half a character that UTF-8 cannot hold ({code})"
            return f"holds the control character {code}"
    if len(name) > _LONGEST_NAME:
        return f"has {len(name):,} characters, at most {_LONGEST_NAME} can name a class"
    return None


def short(value: Any) -> str:
    """Return a value for a message: escaped and cut."""
    text = ascii(value) if isinstance(value, str) and fault_of(value[:60]) else _repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _repr(value: Any) -> str:
    return shown_number(value) if isinstance(value, int) else repr(value)


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
