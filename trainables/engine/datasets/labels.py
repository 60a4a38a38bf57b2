"""Labels of a column as class ids and class names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainables.engine.arrays import IntArray
from trainables.engine.datasets.label_cells import (
    composed,
    fault_of,
    is_missing,
    is_plain_number,
    looks_numeric,
    name_of,
    number_in,
    short,
)
from trainables.engine.errors import DataError


@dataclass(frozen=True, eq=False)
class Labels:
    """Labels of a column.

    Attributes:
        ids: Class ids in [0, classes), int64 (rows,).
        names: Class names by id.
        written: Label of each class as the column has it, where a companion column names it; None
            where classes are named by the column itself.
    """

    ids: IntArray
    names: tuple[str, ...]
    written: tuple[str, ...] | None = None


def class_labels(
    values: Sequence[Any],
    names: Sequence[Any] | None,
    column: str,
    source: str,
    place: Callable[[int], str] = "data row {}".format,
) -> Labels:
    """Return class ids and names of labels, for any order of rows.

    Labels are names as they are written. Numbers keep their order, and are named by `names` where
    these are given; words are sorted by name.

    Args:
        values: Labels, none missing, (rows,).
        names: Name of each row's class, (rows,), from a companion column.
        column: Name of the label column, for messages.
        source: Name of the table, for messages.
        place: Words for the place of a row, for messages.

    Raises:
        DataError: for labels of mixed types, fractions, lists, names with control characters or of
            endless length, a single class, or an id with two names.
    """
    where = f"Column {column!r} of {source}"
    numeric = _are_numbers(values, where)
    written = _names(values, where, place)
    order = sorted(set(written), key=_by_number if numeric else None)
    _two_classes(order, where)
    id_of = {name: place for place, name in enumerate(order)}
    ids = np.array([id_of[name] for name in written], np.int64)
    if names is None or not numeric:
        return Labels(ids, tuple(order))
    shown = _named(written, order, names, where)
    _check_names([shown[label] for label in ids], f"{column}_name", source, place)
    return Labels(ids, tuple(shown), tuple(order))


def _by_number(name: str) -> tuple[float | int, str]:
    number = number_in(name)
    return (0 if number is None else number), name


def _names(values: Sequence[Any], where: str, place: Callable[[int], str]) -> list[str]:
    """Return each row's name; encodings of one word are one name.

    Raises:
        DataError: for a name with control characters, or too long.
    """
    spelled = [name_of(value) or "" for value in values]
    spellings: dict[str, set[str]] = {}
    for name in dict.fromkeys(spelled):
        fault = fault_of(name)
        if fault is not None:
            row = spelled.index(name)
            raise DataError(
                f"{where}, {place(row)}: the label {short(name)} {fault}. Mend it, or choose "
                "another column with --label."
            )
        spellings.setdefault(composed(name), set()).add(name)
    # A column of one encoding keeps it.
    name_in = {
        name: name if len(alike) == 1 else whole
        for whole, alike in spellings.items()
        for name in alike
    }
    return [name_in[name] for name in spelled]


def _check_names(
    names: Sequence[str], column: str, source: str, place: Callable[[int], str]
) -> None:
    for name in dict.fromkeys(names):
        fault = fault_of(name)
        if fault is not None:
            raise DataError(
                f"Column {column!r} of {source}, {place(names.index(name))}: the name "
                f"{short(name)} {fault}."
            )


def _are_numbers(values: Sequence[Any], where: str) -> bool:
    """Return True if labels are whole numbers, False for words.

    Raises:
        DataError: for a mixture, fractions, or values that are neither numbers nor words.
    """
    strange = next((v for v in values if not isinstance(v, str | int | float)), None)
    if strange is not None:
        raise DataError(
            f"{where} must hold one class a row, as a word or a whole number; found a "
            f"{type(strange).__name__}: {short(strange)}."
        )
    if all(isinstance(value, str) for value in values):
        names = list(dict.fromkeys(value.strip() for value in values))
        numerals = [name for name in names if looks_numeric(name)]
        # Codes: 0110 beside E11. As numbers a program would have written them otherwise.
        if len(numerals) < len(names) and not all(map(is_plain_number, numerals)):
            return False
    kinds = Counter(map(_kind(values), values))
    if len(kinds) > 1:
        kind = _kind(values)
        examples = {kind(value): value for value in reversed(values)}
        shown = ", ".join(
            f"{count:,} {name} (such as {short(examples[name])})"
            for name, count in kinds.most_common()
        )
        raise DataError(
            f"{where} holds labels of mixed types: {shown}. Write all of them as words or all as "
            "whole numbers."
        )
    if "number" not in kinds:
        return False
    fraction = next((v for v in values if _is_fraction(v)), None)
    if fraction is not None:
        raise DataError(
            f"{where} must hold classes, found the fraction {float(fraction):g}: scores are no "
            "labels. Cut them into classes first, or choose another column with --label."
        )
    return True


def _is_fraction(value: str | float) -> bool:
    number = number_in(value.strip()) if isinstance(value, str) else value
    return isinstance(number, float) and not number.is_integer()


def _kind(values: Sequence[Any]) -> Callable[[Any], str]:
    """Return the function that tells a label's kind of writing.

    Where every label is a string, digits are numbers.
    """
    plain = all(isinstance(value, str) for value in values)

    def kind(value: Any) -> str:
        if isinstance(value, bool):
            return "logical value"
        if isinstance(value, str):
            return "word" if not looks_numeric(value) else "number" if plain else "number in quotes"
        return "number"

    return kind


def _named(
    written: Sequence[str], order: Sequence[str], names: Sequence[Any], where: str
) -> list[str]:
    """Return class names in the order of the ids.

    Raises:
        DataError: if an id has two names or two ids share one, or a name is missing.
    """
    of_label: dict[str, str] = {}
    for label, name in zip(written, names, strict=True):
        text = "" if is_missing(name) else name_of(name) or str(name)
        if not text:
            raise DataError(f"{where}: the class {label} has a row without a class name.")
        known = of_label.setdefault(label, text)
        if composed(known) != composed(text):
            raise DataError(
                f"{where}: the class {label} is called {short(known)} in one row and "
                f"{short(text)} in another."
            )
    shown = [of_label[label] for label in order]
    alike = [composed(name) for name in shown]
    twice = next((name for name in alike if alike.count(name) > 1), None)
    if twice is not None:
        ids = [label for label, name in zip(order, alike, strict=True) if name == twice]
        raise DataError(f"{where}: the classes [{', '.join(ids)}] are all called {short(twice)}.")
    return shown


def _two_classes(names: Sequence[str], where: str) -> None:
    if len(names) < 2:
        raise DataError(
            f"{where} needs at least 2 classes, every row is {names[0]!r}. Choose another column "
            "with --label, or add rows of another class."
        )
