"""Rows to classify: typed, from a text file or a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from search.arrays import FloatArray
from search.errors import InputError
from search.planning.file_columns import WholeTable, columns_of
from search.planning.plan import Plan
from trainables.engine.contract import DataRef
from trainables.engine.datasets.cleaning import clean_text
from trainables.engine.datasets.column_roles import Columns, card_of, card_with_images
from trainables.engine.datasets.columns import check_texts, references_of, texts_of
from trainables.engine.datasets.label_cells import is_missing
from trainables.engine.datasets.metadata import numeric_column
from trainables.engine.images import resolve
from trainables.engine.images.resolve import ImageColumns
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
    plan: Plan,
    shape: RowSchema,
    file: WholeTable,
    column: str | None = None,
    column_b: str | None = None,
    label: str | None = None,
) -> FileRows:
    """The rows of a table.

    Args:
        plan: Plan of the sweep.
        shape: Inputs of its rows.
        file: All of the table.
        column: Column of the text; the sweep's without one.
        column_b: Column of the second text, for pairs.
        label: Column of the label, which may be missing.

    Raises:
        InputError: if the file has no such column, or holds something else than texts in a column
            of texts, or than numbers in a column of metadata.
    """
    ref = plan.task.data
    path, table = file.path, file.table
    notes: list[str] = []
    columns = columns_of(ref, table.names, shape.pairs, column, column_b)
    texts = [columns.text, *([columns.text_b] if columns.text_b else [])]
    file.check("--label", label)
    for name, option in zip(texts, ("--text", "--text-b"), strict=False):
        file.check(option, name)
        check_texts(table, name)
    cleaned, kept = _cleaned(table, texts, ref.cleaning)
    values: FloatArray | None = None
    if shape.metadata:
        values = np.full((len(kept), len(shape.metadata)), np.nan)
        for number, name in enumerate(shape.metadata):
            if name not in table.columns:
                notes.append(f"{path.name} has no column {name!r}: taken as missing")
                continue
            values[:, number] = numeric_column(table, name, kept, set(texts))
    pairs: list[ImagePair] | None = None
    if shape.images:
        pairs, note = _images(ref, columns, path, table, kept)
        notes += [note] if note else []
    further = UnlabelledRows(cleaned[0], cleaned[1] if len(texts) > 1 else None, pairs, values)
    return FileRows(table, kept, further, notes)


def _cleaned(
    table: Table, columns: Sequence[str], steps: Sequence[str]
) -> tuple[list[list[str]], list[int]]:
    """Texts after cleaning, by column, of the rows where all have one."""
    full = [
        row
        for row in range(table.rows)
        if not any(is_missing(table.columns[name][row]) for name in columns)
    ]
    texts = [[clean_text(text, steps) for text in texts_of(table, name, full)] for name in columns]
    there = [at for at in range(len(full)) if all(of[at].strip() for of in texts)]
    return [[of[at] for at in there] for of in texts], [full[at] for at in there]


def _images(
    ref: DataRef, columns: Columns, path: Path, table: Table, rows: Sequence[int]
) -> tuple[list[ImagePair], str]:
    """The images of some rows, and what to say of them."""
    card = card_with_images(card_of(ref.name))
    usual = ("image", "image_b") if card is None else (card.image, card.image_b)
    first, second = (
        name if name in table.columns else None
        for name in (columns.image or usual[0], columns.image_b or usual[1])
    )
    folder = path.resolve() if path.is_dir() else path.resolve().parent
    named = ImageColumns(first=first, second=second, folder=folder, drop=False)
    references = references_of(table, named, rows)
    pairs = resolve.pairs_of(references, folder)
    lost = sum(one is None for pair in pairs for one in pair)
    return pairs, f"{lost:,} of {2 * len(rows):,} images are missing or unusable" if lost else ""
