"""Columns of a table as labelled texts, with checks of their contents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from trainables.engine import registry
from trainables.engine.arrays import TextArray
from trainables.engine.datasets.dataset_card import DatasetCard
from trainables.engine.datasets.label_cells import (
    MISSING_WORDS,
    fault_of,
    is_missing,
    looks_numeric,
    name_of,
    rows_with_label,
    short,
)
from trainables.engine.datasets.labels import Labels, class_labels
from trainables.engine.datasets.metadata import read_metadata
from trainables.engine.errors import DataError
from trainables.engine.images.resolve import ImageColumns, with_images
from trainables.engine.tables.table import Table, listed
from trainables.engine.text_data import TextData, assemble

# A column called split with more values than this is something else.
_MOST_PARTS = 12
# A word that stands for a missing value may stand in some rows by right.
_HANDFUL = 5
_PARTS = {
    "train": "train", "training": "train",
    "dev": "valid", "val": "valid", "valid": "valid", "validation": "valid",
    "test": "test", "testing": "test",
}  # fmt: skip


def text_data(
    table: Table,
    *,
    text: str,
    text_b: str | None,
    label: str,
    name: str,
    drop_missing: bool = False,
    card: DatasetCard | None = None,
    images: ImageColumns | None = None,
    metadata: Sequence[str] = (),
) -> TextData:
    """Check a table's columns and make labelled texts of them.

    Args:
        table: Columns as read.
        text: Name of the text column.
        text_b: Name of the second text's column, or None.
        label: Name of the label column; a column `<label>_name` beside it names its whole numbers.
        name: Name of the data.
        drop_missing: True to leave out rows with a missing text or label.
        card: Card of the data set, with its part names, class order and labels to leave out.
        images: Columns of images; None where rows have none.
        metadata: Names of numeric columns to keep.

    Raises:
        DataError: see `load_data`.
    """
    check_columns(table, text, text_b, label)
    check_images(table, images, text_b)
    companion = table.columns.get(f"{label}_name")
    usable = _usable_rows(table, [text, *([text_b] if text_b else [])], label, companion, card)
    split = table.columns.get("split") if "split" not in {text, text_b, label} else None
    usable, hidden = rows_with_label(usable, table.columns[label], companion, split)
    missing = {
        column: [row for row in usable if is_missing(table.columns[column][row])]
        for column in dict.fromkeys([text, *([text_b] if text_b else []), label])
    }
    bad = sorted({row for rows in missing.values() for row in rows})
    if bad and not drop_missing:
        counts = ", ".join(f"{len(rows):,} in {c!r}" for c, rows in missing.items() if rows)
        raise DataError(
            f"{table.source} has missing values in {len(bad):,} of {len(usable):,} rows ({counts}; "
            f"the first is data row {bad[0] + 1:,}). Fill them, or leave these rows out with "
            "--drop-missing."
        )
    gone = set(bad)
    rows = [row for row in usable if row not in gone]
    if not rows:
        raise DataError(f"{table.source} has no row with a text and a label.")
    read = class_labels(
        [table.columns[label][row] for row in rows],
        None if companion is None else [companion[row] for row in rows],
        label,
        table.source,
        lambda number: table.place(rows[number]),
    )
    read = _in_card_order(read, card)
    notes = [*table.notes, *hidden, *_missing_words(table, text, label, rows)]
    official = None if split is None else official_parts(split, rows, card)
    if official is not None and len(set(official)) > _MOST_PARTS:
        notes.append(
            f"column 'split' has {len(set(official)):,} values: not read as official parts"
        )
        official = None
    if text_b is None and "text_b" in table.names:
        notes.append("column 'text_b' is there and not used: --text-b text_b makes it a pair")
    numbers, remarks = read_metadata(table, metadata, rows, {text, text_b, label})
    data = assemble(
        name=name,
        texts=texts_of(table, text, rows),
        texts_b=None if text_b is None else texts_of(table, text_b, rows),
        labels=read.ids,
        label_names=read.names,
        labels_written=read.written,
        official=official,
        dropped=len(bad),
        notes=[*notes, *remarks],
        metadata=numbers,
    )
    if images is None:
        return data
    return with_images(data, references_of(table, images, rows), images.folder, images.drop)


def require(table: Table, columns: Mapping[str, str | None], hint: str = "") -> None:
    """Refuse a table that lacks a column, each given by its option.

    Raises:
        DataError: naming the nearest column, and all there are.
    """
    for flag, column in columns.items():
        if column is not None and column not in table.columns:
            raise DataError(
                f"{table.source} has no column {column!r}.{registry.hint(column, table.names)} Its "
                f"columns: {listed(table.names)}. Choose one with {flag}.{hint}"
            )


def check_images(table: Table, images: ImageColumns | None, text_b: str | None) -> None:
    """Refuse a table without a column that names images.

    Raises:
        DataError: naming the nearest column, and all there are.
    """
    if images is None:
        return
    require(table, {"--image": images.first, "--image-b": images.second})
    if images.second is not None and text_b is None:
        raise DataError("--image-b names the image of a second text: choose that with --text-b.")


def references_of(
    table: Table, images: ImageColumns, rows: Sequence[int]
) -> list[tuple[str | None, str | None]]:
    """Return the path or URL of both images of each row."""

    def of(column: str | None, row: int) -> str | None:
        value = None if column is None else table.columns[column][row]
        return None if is_missing(value) else str(value).strip()

    return [(of(images.first, row), of(images.second, row)) for row in rows]


def check_columns(table: Table, text: str, text_b: str | None, label: str) -> None:
    """Refuse a table without a column of texts or labels.

    Raises:
        DataError: naming the nearest column, and all there are.
    """
    named = {"--text": text, "--text-b": text_b, "--label": label}
    require(table, named, table.hint)
    if len({text, text_b, label}) < 3:
        given = ", ".join(f"{option} {name}" for option, name in named.items() if name is not None)
        raise DataError(f"Texts and label must be different columns, got {given}.")


def _usable_rows(
    table: Table,
    text_columns: Sequence[str],
    label: str,
    companion: Sequence[Any] | None,
    card: DatasetCard | None,
) -> list[int]:
    """Return the rows of the card's classes.

    Texts are checked before, over all rows.
    """
    for column in text_columns:
        check_texts(table, column)
    if card is None or not card.leave_out:
        return list(range(table.rows))
    names = table.columns[label] if companion is None else companion
    out = set(card.leave_out)
    return [
        row for row in range(table.rows) if is_missing(names[row]) or name_of(names[row]) not in out
    ]


def check_texts(table: Table, column: str) -> None:
    """Refuse a column that holds something else than texts.

    Blank cells are passed.

    Raises:
        DataError: naming the column, and what was found in it.
    """
    filled = [value for value in table.columns[column] if not is_missing(value)]
    other = next((value for value in filled if not isinstance(value, str)), None)
    if other is not None:
        raise DataError(
            f"Column {column!r} of {table.source} must hold text, found a {type(other).__name__}: "
            f"{short(str(other))}. Its columns: {listed(table.names)}."
        )
    if filled and all(looks_numeric(value) for value in filled):
        raise DataError(
            f"Column {column!r} of {table.source} must hold text, every value is a number, for "
            f"example {short(filled[0])}. Its columns: {listed(table.names)}."
        )


def texts_of(table: Table, column: str, rows: Sequence[int]) -> list[str]:
    """Return the texts of some rows of a column that `check_texts` passed.

    Raises:
        DataError: for half a character.
    """
    values = table.columns[column]
    texts = [str(values[row]) for row in rows]
    for row, text in zip(rows, texts, strict=True):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise DataError(
                f"Column {column!r} of {table.source}, {table.place(row)}, holds half a "
                f"character that UTF-8 cannot hold: {text[error.start : error.end]!r}."
            ) from error
    return texts


def official_parts(
    split: Sequence[Any], rows: Sequence[int], card: DatasetCard | None = None
) -> TextArray:
    """Return the part of each row under shared names, str (rows,).

    Raises:
        DataError: for a part that no name can be.
    """
    own = dict(card.parts) if card is not None else {}
    parts = ["" if is_missing(split[row]) else str(split[row]).strip() for row in rows]
    for part in set(parts):
        fault = fault_of(part)
        if fault is not None:
            raise DataError(f"Column 'split': the part {short(part)} {fault}.")
    return np.array([own.get(part) or _PARTS.get(part.lower()) or part for part in parts], np.str_)


def _missing_words(table: Table, text: str, label: str, rows: Sequence[int]) -> Iterator[str]:
    """Yield remarks on texts and labels that look like missing values."""
    for role, column in (("text", text), ("label", label)):
        values = table.columns[column]
        words = Counter(
            word
            for row in rows
            if isinstance(values[row], str) and (word := values[row].strip()) in MISSING_WORDS
        )
        for word, count in words.items():
            if count > _HANDFUL:
                yield (
                    f"{count:,} rows have the {role} {word!r}, which programs write for a missing "
                    "value: if it is one, leave the cell blank"
                )


def _in_card_order(labels: Labels, card: DatasetCard | None) -> Labels:
    """Return labels and names with the classes in the card's order.

    The hub and a file then give the same ids.
    """
    if card is None or not set(labels.names) <= set(card.classes):
        return labels
    ordered = tuple(name for name in card.classes if name in labels.names)
    new_id = np.array([ordered.index(name) for name in labels.names], np.int64)
    written = labels.written and tuple(labels.written[labels.names.index(n)] for n in ordered)
    return Labels(new_id[labels.ids], ordered, written)
