"""Rows to classify: taken and refused as rows to train on are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest
from pyarrow import parquet

from search.errors import InputError
from search.planning.file_columns import WholeTable, check_file
from search.planning.plan import Plan
from search.serving.input_rows import FileRows, RowSchema, of_table
from trainables.engine.contract import DataRef
from trainables.engine.datasets.load import load_data
from trainables.engine.errors import DataError


@dataclass
class _Task:
    data: DataRef


@dataclass
class _Plan:
    """What the reader asks of a plan."""

    task: _Task


def _plan(**fields: Any) -> Plan:
    return cast(Plan, _Plan(_Task(DataRef(**{"name": "mine.csv", **fields}))))


def _read(path: Path, shape: RowSchema | None = None, **fields: Any) -> FileRows:
    return of_table(_plan(**fields), shape or RowSchema(), WholeTable.read(path, ["text"]))


def _lines(path: Path, *values: Any) -> Path:
    rows = [{"text": value, "label": "xy"[at % 2]} for at, value in enumerate(values)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


STRANGE = {
    "list": ["fog", "cloud"],
    "dict": {"en": "rain"},
    "number": 3.5,
    "whole number": 7,
    "logical value": True,
}


@pytest.mark.parametrize("kind", STRANGE)
def test_what_is_no_text_is_refused_as_in_training(kind: str, tmp_path: Path) -> None:
    words = ["a word", "b word", "c word", "d word", STRANGE[kind]]
    path = _lines(tmp_path / "mine.jsonl", *words)
    with pytest.raises(DataError) as trained:
        load_data(DataRef(name=str(path)))
    with pytest.raises(DataError, match=r"Column 'text' of .* must hold text, found a") as read:
        _read(path)
    assert str(read.value) == str(trained.value)


def test_bytes_are_refused_as_in_training(tmp_path: Path) -> None:
    path = tmp_path / "mine.parquet"
    table = {"text": [b"fog", b"rain"] * 2, "label": ["x", "x", "y", "y"]}
    parquet.write_table(pa.table(table), path)
    with pytest.raises(DataError, match="must hold text, found a bytes"):
        load_data(DataRef(name=str(path)))
    with pytest.raises(DataError, match="must hold text, found a bytes"):
        _read(path)


def test_numbers_alone_are_no_texts(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("text,label\n1.5,x\n2,y\n")
    with pytest.raises(DataError, match="every value is a number"):
        _read(path)


def test_nan_and_null_and_blank_are_no_text(tmp_path: Path) -> None:
    rows = _read(_lines(tmp_path / "mine.jsonl", "fog", float("nan"), None, "  ", "rain"))
    assert rows.kept == [0, 4]
    assert rows.further.texts == ["fog", "rain"]


def test_a_row_that_cleaning_leaves_nothing_of_is_blank(tmp_path: Path) -> None:
    path = _lines(tmp_path / "mine.jsonl", "fog", "!!!", "rain?")
    rows = _read(path, cleaning=("punctuation",))
    assert rows.kept == [0, 2]


def test_a_pair_needs_both_texts(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("text,text_b\na b,c d\na b,\n,c d\n")
    rows = _read(path, RowSchema(pairs=True))
    assert (rows.kept, rows.further.texts_b) == ([0], ["c d"])
    path.write_text("text\na b\n")
    with pytest.raises(InputError, match=r"no column 'text_b'.*--text-b"):
        _read(path, RowSchema(pairs=True))


def test_columns_of_one_name_that_nobody_reads_are_let_through(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("text,note,note,,\na b,1,2,3,4\n")
    rows = _read(path)
    assert rows.further.texts == ["a b"]
    assert [values[0] for values in rows.table.columns.values()] == ["a b", "1", "2", "3", "4"]
    path.write_text("text,text\na b,c d\n")
    with pytest.raises(InputError, match="2 columns called 'text'"):
        _read(path)


def test_the_label_that_is_asked_for_must_be_there_once(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("text,truth,truth\na b,x,y\n")
    ref = DataRef(name="mine.csv")
    with pytest.raises(InputError, match=r"no column 'thruth'. Did you mean 'truth'.*--label"):
        check_file(path, ref, label="thruth")
    with pytest.raises(InputError, match="several columns called 'truth'"):
        of_table(_plan(), RowSchema(), WholeTable.read(path, ["text"]), label="truth")


@pytest.mark.parametrize(
    ("data", "names", "found"),
    [
        ("mrpc", "text,text_b", ("a", "b")),
        ("mrpc-1k", "sentence1,sentence2", ("a", "b")),
        ("mine.csv", "Claim,Document", ("a", "b")),
    ],
)
def test_texts_are_found_as_in_the_data_set_of_that_name(
    data: str, names: str, found: tuple[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "more.csv"
    path.write_text(f"{names}\na,b\n")
    check_file(path, DataRef(name=data))
    rows = _read(path, RowSchema(pairs=True), name=data)
    assert (rows.further.texts[0], (rows.further.texts_b or [""])[0]) == found
    if data == "mine.csv":  # no single text is taken for a claim
        with pytest.raises(InputError, match="no column 'text'"):
            _read(path, RowSchema(), name=data)
