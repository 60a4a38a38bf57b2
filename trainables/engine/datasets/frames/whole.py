"""A whole table as labelled rows, with or without texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trainables.engine import registry
from trainables.engine.arrays import FloatArray
from trainables.engine.contract import DataRef
from trainables.engine.datasets.columns import official_parts, texts_of
from trainables.engine.datasets.frames.target import strata
from trainables.engine.datasets.frames.typed import typed_frame
from trainables.engine.datasets.label_cells import is_missing
from trainables.engine.datasets.labels import class_labels
from trainables.engine.errors import DataError
from trainables.engine.tables import likely_columns
from trainables.engine.tables.table import Table, listed
from trainables.engine.text_data import TextData, assemble

if TYPE_CHECKING:
    import pandas as pd


def whole_table(ref: DataRef, table: Table, name: str) -> TextData:
    """Return every column of a table as labelled rows.

    A table without a text column has rows of numbers and words: their text is the row, written out,
    so that equal rows stay on one side of a split.

    Args:
        ref: Reference; its `label` or `target` names the column to predict.
        table: All columns.
        name: Name of the data.

    Raises:
        DataError: naming the column that is missing, or the cell that cannot be used.
    """
    if ref.cleaning:
        raise DataError("--clean is not for a function's table: let the function clean its texts.")
    answer, text = _columns(ref, table)
    used = [column for column in (answer, text, ref.text_b) if column is not None]
    rows = _rows(table, used, ref.drop_missing)
    frame = typed_frame(table).iloc[rows].reset_index(drop=True)
    target: FloatArray | None = None
    values = [table.columns[answer][row] for row in rows]
    if ref.target is not None:
        target = _numbers(frame, answer, table, rows)
        ids, names = strata(target)
        written = None
    else:
        companion = table.columns.get(f"{answer}_name")
        named = None if companion is None else [companion[row] for row in rows]
        labels = class_labels(
            values, named, answer, table.source, lambda number: table.place(rows[number])
        )
        ids, names, written = labels.ids, labels.names, labels.written
    split = table.columns.get("split") if "split" not in used else None
    texts = (
        _written_out(frame.drop(columns=[answer])) if text is None else texts_of(table, text, rows)
    )
    return assemble(
        name=name,
        texts=texts,
        texts_b=None if ref.text_b is None else texts_of(table, ref.text_b, rows),
        labels=ids,
        label_names=names,
        labels_written=written,
        official=None if split is None else official_parts(split, rows),
        dropped=table.rows - len(rows),
        notes=table.notes,
        frame=frame,
        answer=answer,
        target=target,
        tabular=text is None,
    )


def _columns(ref: DataRef, table: Table) -> tuple[str, str | None]:
    """Return the columns of the answer and of the text, if any."""
    for option, column in (
        ("--label", ref.label),
        ("--target", ref.target),
        ("--text", ref.text),
        ("--text-b", ref.text_b),
    ):
        if column is not None and column not in table.names:
            raise DataError(
                f"{table.source} has no column {column!r}.{registry.hint(column, table.names)} Its "
                f"columns: {listed(table.names)}. Choose one with {option}."
            )
    if ref.label is not None and ref.target is not None:
        raise DataError(
            f"--label {ref.label} names classes and --target {ref.target} a number to predict: "
            "give one of them."
        )
    answer = ref.label or ref.target
    if answer is None:
        answer = likely_columns.label_column(table, {"split", ref.text, ref.text_b})
    if answer is None:
        raise DataError(
            f"Which column of {table.source} is to be predicted? Its columns: "
            f"{listed(table.names)}. Name a class with --label, or a number with --target."
        )
    taken = {"split", answer, ref.text_b}
    text = ref.text or likely_columns.text_column(table, taken, ref.text_b)
    if text == answer:
        raise DataError(f"--text and the answer must be different columns, got {text!r} for both.")
    return answer, text


def _rows(table: Table, used: Sequence[str], drop_missing: bool) -> list[int]:
    """Return the rows that have all of some columns."""
    bad = [
        row
        for row in range(table.rows)
        if any(is_missing(table.columns[column][row]) for column in used)
    ]
    if bad and not drop_missing:
        raise DataError(
            f"{table.source} has missing values of {', '.join(map(repr, used))} in {len(bad):,} of "
            f"{table.rows:,} rows; the first is {table.place(bad[0])}. Fill them, or leave these "
            "rows out with --drop-missing."
        )
    gone = set(bad)
    rows = [row for row in range(table.rows) if row not in gone]
    if not rows:
        raise DataError(f"{table.source} has no row with {' and '.join(map(repr, used))}.")
    return rows


def _numbers(frame: pd.DataFrame, column: str, table: Table, rows: Sequence[int]) -> FloatArray:
    values = frame[column]
    if values.dtype.kind not in "if":
        number, value = next(
            ((i, v) for i, v in enumerate(values.tolist()) if not _is_number(v)),
            (0, values.iloc[0]),
        )
        raise DataError(
            f"Column {column!r} of {table.source} must hold numbers to be a target, found "
            f"{value!r} in {table.place(rows[number])}. For classes use --label {column}."
        )
    target = values.to_numpy(np.float64)
    if not np.isfinite(target).all():
        row = int(np.flatnonzero(~np.isfinite(target))[0])
        raise DataError(
            f"Column {column!r} of {table.source} must hold finite numbers, found {target[row]} in "
            f"{table.place(rows[row])}."
        )
    return target


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _written_out(frame: pd.DataFrame) -> list[str]:
    """Return each row as one line of text."""
    columns = [
        [f"{name}={'' if is_missing(value) else value}" for value in frame[name].tolist()]
        for name in frame.columns
    ]
    if not columns:
        raise DataError("A table needs a column beside the one to predict.")
    return [" ".join(parts) for parts in zip(*columns, strict=True)]


def new_rows(
    ref: DataRef, data: TextData, table: Table, *, with_target: bool = False
) -> tuple[TextData, list[int]]:
    """Return rows like the data's, and their numbers in the table.

    Args:
        ref: Reference of the data.
        data: The data that a function is trained on.
        table: All columns of the new rows; the one to predict may be missing.
        with_target: Take the target from the table, which has it.

    Raises:
        DataError: naming a column that the new rows lack.
    """
    wanted = [str(name) for name in data.frame.columns] if data.frame is not None else ["text"]
    wanted = [name for name in wanted if with_target or name != data.answer]
    missing = [name for name in wanted if name not in table.names]
    if missing:
        raise DataError(
            f"{table.source} has no column {missing[0]!r}."
            f"{registry.hint(missing[0], table.names)} Its columns: {listed(table.names)}; the "
            f"function was trained on {listed(wanted)}."
        )
    text = None if data.tabular else text_column(ref, data)
    kept = [
        row for row in range(table.rows) if text is None or not is_missing(table.columns[text][row])
    ]
    frame = typed_frame(table).iloc[kept].reset_index(drop=True)
    if data.frame is not None and data.answer is not None and data.answer not in frame:
        frame[data.answer] = None
        frame = frame[list(data.frame.columns)]
    target = None
    if data.target is not None:
        target = np.zeros(len(kept))
        if with_target and data.answer is not None:
            target = frame[data.answer].to_numpy(np.float64)
    texts = (
        _written_out(frame.drop(columns=[data.answer] if data.answer in frame else []))
        if text is None
        else texts_of(table, text, kept)
    )
    rows = assemble(
        name=f"{len(kept):,} further rows",
        texts=texts,
        texts_b=None if ref.text_b is None else texts_of(table, ref.text_b, kept),
        labels=np.zeros(len(kept), np.int64),
        label_names=data.label_names,
        official=None,
        frame=frame,
        answer=data.answer,
        target=target,
        tabular=data.tabular,
    )
    return rows, kept


def text_column(ref: DataRef, data: TextData) -> str:
    """Return the column that the texts of the data came from.

    Raises:
        DataError: if no column holds them as they are.
    """
    if ref.text is not None:
        return ref.text
    frame = data.frame
    if frame is None:
        return "text"
    first = list(data.texts)
    for name in frame.columns:
        if frame[name].astype(str).tolist() == first:
            return str(name)
    raise DataError(
        f"Which column of {data.name} held the texts? None holds them as they are: run the sweep "
        "with --text COLUMN."
    )
