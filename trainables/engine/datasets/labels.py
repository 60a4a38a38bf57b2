"""Labels of a column as class ids and class names."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from trainables.engine.arrays import IntArray
from trainables.engine.errors import DataError

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


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


def class_ids(
    values: Sequence[Any], names: Sequence[Any] | None, column: str, source: str
) -> tuple[IntArray, tuple[str, ...]]:
    """Return class ids and names of labels, for any order of rows.

    Whole numbers keep their order. They are named by `names`, else by themselves. Other labels are
    sorted by name.

    Args:
        values: Labels, none missing, (rows,).
        names: Name of each row's class, (rows,), from a companion column.
        column: Name of the label column, for messages.
        source: Name of the table, for messages.

    Returns:
        Ids in [0, classes), int64 (rows,), and the class names by id.

    Raises:
        DataError: for labels of mixed types, fractions, lists, a single class, or an id with two
            names.
    """
    where = f"Column {column!r} of {source}"
    numbers = _whole_numbers(values, where)
    if numbers is None:
        texts = [str(value).strip() for value in values]
        known = sorted(set(texts))
        ids = {name: number for number, name in enumerate(known)}
        _two_classes(known, where)
        return np.array([ids[text] for text in texts], np.int64), tuple(known)
    order = sorted(set(numbers))
    ids_of = {number: place for place, number in enumerate(order)}
    shown = [str(number) for number in order] if names is None else _named(numbers, names, where)
    _two_classes(shown, where)
    return np.array([ids_of[number] for number in numbers], np.int64), tuple(shown)


def _whole_numbers(values: Sequence[Any], where: str) -> list[int] | None:
    """Return the labels as integers, or None where all are words.

    Raises:
        DataError: for a mixture, fractions, or values that are neither numbers nor words.
    """
    strange = next((v for v in values if not isinstance(v, str | int | float)), None)
    if strange is not None:
        raise DataError(
            f"{where} must hold one class a row, as a word or a whole number; found a "
            f"{type(strange).__name__}: {_short(strange)}."
        )
    plain = all(isinstance(value, str) for value in values)
    kinds = Counter(_kind(value, plain) for value in values)
    if len(kinds) > 1:
        examples = {_kind(value, plain): value for value in reversed(values)}
        shown = ", ".join(
            f"{count:,} {kind} (such as {_short(examples[kind])})"
            for kind, count in kinds.most_common()
        )
        raise DataError(
            f"{where} holds labels of mixed types: {shown}. Write all of them as words or all as "
            "whole numbers."
        )
    if "number" not in kinds:
        return None
    fraction = next((float(v) for v in values if not float(v).is_integer()), None)
    if fraction is not None:
        raise DataError(
            f"{where} must hold classes, found the fraction {fraction:g}: scores are no labels. "
            "Cut them into classes first, or choose another column with --label."
        )
    return [_exact(value) for value in values]


def _kind(value: Any, plain: bool) -> str:
    """Return the kind of writing of a label.

    With `plain` every label is a string, so digits are numbers.
    """
    if isinstance(value, bool):
        return "logical value"
    if isinstance(value, str):
        return "word" if not looks_numeric(value) else "number" if plain else "number in quotes"
    return "number"


def _exact(value: str | float) -> int:
    """Return a whole number without rounding it.

    A float rounds beyond 2**53.
    """
    try:
        return int(value)
    except ValueError:
        return int(float(value))


def _named(numbers: Sequence[int], names: Sequence[Any], where: str) -> list[str]:
    """Return class names in the order of the ids.

    Raises:
        DataError: if an id has two names or two ids share one, or a name is missing.
    """
    of_id: dict[int, str] = {}
    for number, name in zip(numbers, names, strict=True):
        text = "" if is_missing(name) else str(name).strip()
        if not text:
            raise DataError(f"{where}: the class {number} has a row without a class name.")
        if of_id.setdefault(number, text) != text:
            raise DataError(
                f"{where}: the class {number} is called {of_id[number]!r} in one row and {text!r} "
                "in another."
            )
    shown = [of_id[number] for number in sorted(of_id)]
    twice = next((name for name in shown if shown.count(name) > 1), None)
    if twice is not None:
        ids = [number for number in sorted(of_id) if of_id[number] == twice]
        raise DataError(f"{where}: the classes {ids} are all called {twice!r}.")
    return shown


def _two_classes(names: Sequence[str], where: str) -> None:
    if len(names) < 2:
        raise DataError(
            f"{where} needs at least 2 classes, every row is {names[0]!r}. Choose another column "
            "with --label, or add rows of another class."
        )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
