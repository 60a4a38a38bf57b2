"""Cells of a label column as names, wherever labels are read.

A label is the name that stands in the cell. Only where the file itself says that a value is a
number does its spelling not count: 0 and 0.0 of a numeric column are one label, the strings "0" and
"0.0" are two.
"""

from __future__ import annotations

import math
import re
import unicodedata
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
