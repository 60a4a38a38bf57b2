"""A table is written as its file's ending says."""

from __future__ import annotations

import csv
import json
import math
import threading
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from search.results.table_file import ENDINGS, write

COLUMNS: dict[str, list[Any]] = {
    "text": ['say "x"', "a\tb\nc", None],
    "share": [0.5, math.nan, None],
    "mixed": [1, "two", None],
    "tags": [["a"], {"b": 1}, None],
}


@pytest.mark.parametrize(("ending", "delimiter"), [(".csv", ","), (".tsv", "\t"), (".CSV", ",")])
def test_as_values_with_separators(ending: str, delimiter: str, tmp_path: Path) -> None:
    path = tmp_path / f"t{ending}"
    write(COLUMNS, path)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file, delimiter=delimiter))
    assert rows == [
        ["text", "share", "mixed", "tags"],
        ['say "x"', "0.5", "1", '["a"]'],
        ["a\tb\nc", "", "two", '{"b": 1}'],
        ["", "", "", ""],
    ]


def test_as_lines_of_json(tmp_path: Path) -> None:
    write(COLUMNS, tmp_path / "t.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert rows[1] == {"text": "a\tb\nc", "share": None, "mixed": "two", "tags": {"b": 1}}
    assert [row["mixed"] for row in rows] == [1, "two", None]


def test_as_parquet(tmp_path: Path) -> None:
    write(COLUMNS, tmp_path / "t.parquet", {"about": "mine"})
    table = parquet.read_table(tmp_path / "t.parquet")
    assert table["mixed"].to_pylist() == ["1", "two", None]  # a column has one type
    assert table["share"].to_pylist()[0] == 0.5
    assert table.schema.metadata == {b"about": b"mine"}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_is_replaced_as_a_whole(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"t{ending}"
    path.write_text("old")
    with pytest.raises(ValueError, match=r"shorter|length"):
        write({"a": [1, 2], "b": [1]}, path)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_pipe_gets_a_csv(tmp_path: Path) -> None:
    import os

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=write, args=({"a": [1]}, pipe))
    writer.start()
    assert pipe.read_text() == "a\n1\n"
    writer.join()
