"""Rows to classify: typed, from a text file or a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from search.arrays import FloatArray
from search.errors import InputError
from search.planning.file_columns import table_with, text_columns
from search.planning.plan import Plan
from trainables.engine import registry
from trainables.engine.contract import DataRef
from trainables.engine.datasets.cleaning import clean_text
from trainables.engine.datasets.dataset_card import DatasetCard
from trainables.engine.datasets.metadata import numeric_column
from trainables.engine.images import resolve
from trainables.engine.refit.new_rows import UnlabelledRows
from trainables.engine.tables.table import Table
from trainables.engine.text_data import ImagePair, TextData


@dataclass(frozen=True, kw_only=True)
class RowSchema:
    """Inputs that a row has besides its text.

    Attributes:
        pairs: A second text.
        images: An image of each text.
        metadata: Numbers, in columns of these names.
    """

    pairs: bool = False
    images: bool = False
    metadata: tuple[str, ...] = ()

    @classmethod
    def of(cls, data: TextData) -> RowSchema:
        """That of a data set's rows."""
        return cls(
            pairs=data.texts_b is not None,
            images=data.images is not None,
            metadata=() if data.metadata is None else data.metadata.names,
        )


@dataclass(frozen=True, eq=False)
class FileRows:
    """The rows of a file.

    Attributes:
        table: The file, all columns.
        kept: Numbers of its rows that have a text (and a second one, in a pair), ascending.
        further: These rows.
        notes: Sweep columns missing from the file.
    """

    table: Table
    kept: list[int]
    further: UnlabelledRows
    notes: list[str]


def typed(plan: Plan, data: TextData, text: str, second: str | None) -> UnlabelledRows:
    """One row that a user typed.

    Raises:
        InputError: if rows are pairs and it is none, or the other way round, or nothing is left of
            it after cleaning.
    """
    if (data.texts_b is None) != (second is None):
        raise InputError(
            f"{data.name} has single texts: leave --text-b out."
            if data.texts_b is None
            else f"{data.name} has pairs of texts: give the second one with --text-b."
        )
    cleaning = plan.task.data.cleaning
    texts = [clean_text(words, cleaning) for words in (text, second) if words is not None]
    if not all(words.strip() for words in texts):
        raise InputError(f"Cleaning ({', '.join(cleaning)}) leaves nothing of the text.")
    return UnlabelledRows(texts[:1], texts[1:] or None)


def of_text_file(plan: Plan, data: TextData, path: Path) -> UnlabelledRows:
    """The whole of a text file, as one row.

    Raises:
        InputError: if it is no text in UTF-8, holds none, or rows are pairs.
    """
    if data.texts_b is not None:
        raise InputError(
            f"{data.name} has pairs of texts, and {path.name} is one text: give --text and "
            "--text-b, or a table (.csv .tsv .jsonl .parquet) with both columns."
        )
    try:
        text = clean_text(path.read_text(encoding="utf-8"), plan.task.data.cleaning)
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8: {error}.") from error
    if not text.strip():
        raise InputError(f"{path} holds no text.")
    return UnlabelledRows([text])


def of_table(
    plan: Plan, data: TextData, path: Path, column: str | None = None, column_b: str | None = None
) -> FileRows:
    """The rows of a table.

    Args:
        plan: Plan of the sweep.
        data: Its data, which say what a row has.
        path: A .csv, .tsv, .jsonl or .parquet file.
        column: Column of the text; the sweep's without one.
        column_b: Column of the second text, for pairs.

    Raises:
        InputError: if the file cannot be read, has no such column, or something else than numbers
            in a column of metadata.
    """
    shape = RowSchema.of(data)
    table = table_with(path, text_columns(plan.task.data, shape.pairs, column, column_b))
    return rows_of(plan, shape, path, table, column, column_b)


def rows_of(
    plan: Plan,
    shape: RowSchema,
    path: Path,
    table: Table,
    column: str | None = None,
    column_b: str | None = None,
) -> FileRows:
    """The rows of a table that has been read; see `of_table`."""
    ref, notes = plan.task.data, []
    names = text_columns(ref, shape.pairs, column, column_b)
    texts = [
        [clean_text("" if v is None else str(v), ref.cleaning) for v in table.columns[name]]
        for name in names
    ]
    numbers = [row for row in range(table.rows) if all(of[row].strip() for of in texts)]
    values: FloatArray | None = None
    if shape.metadata:
        values = np.full((len(numbers), len(shape.metadata)), np.nan)
        for number, name in enumerate(shape.metadata):
            if name not in table.columns:
                notes.append(f"{path.name} has no column {name!r}: taken as missing")
                continue
            values[:, number] = numeric_column(table, name, numbers, set(names))
    pairs: list[ImagePair] | None = None
    if shape.images:
        pairs, note = _images(ref, path, table, numbers)
        notes += [note] if note else []
    further = UnlabelledRows(
        [texts[0][row] for row in numbers],
        [texts[1][row] for row in numbers] if len(texts) > 1 else None,
        pairs,
        values,
    )
    return FileRows(table, numbers, further, notes)


def _images(
    ref: DataRef, path: Path, table: Table, numbers: Sequence[int]
) -> tuple[list[ImagePair], str]:
    """The images of some rows, and what to say of them."""
    columns = [name if name in table.columns else None for name in _image_columns(ref)]
    references = [
        tuple(_reference(None if name is None else table.columns[name][row]) for name in columns)
        for row in numbers
    ]
    pairs = resolve.pairs_of([(one[0], one[1]) for one in references], path.resolve().parent)
    lost = sum(one is None for pair in pairs for one in pair)
    return pairs, f"{lost:,} of {2 * len(numbers):,} images are missing or unusable" if lost else ""


def _reference(value: object) -> str | None:
    return str(value).strip() or None if value is not None else None


def _image_columns(ref: DataRef) -> tuple[str, str]:
    """Columns of both images: the user's, else the data set's."""
    entry = ref.name.strip().lower().replace("-", "_")
    entry = entry if entry in registry.names("trainables.data") else "factify2"
    card: DatasetCard = registry.load("trainables.data", entry, "DATASET")
    return ref.image or card.image or "image", ref.image_b or card.image_b or "image_b"
