"""Local files become columns, or a message that names the line."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from trainables.engine.errors import DataError
from trainables.engine.tables.read import read_table
from trainables.engine.tables.table import Table


def read(tmp_path: Path, name: str, content: str | bytes) -> Table:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, ("text", "label"))


def test_csv_fields_may_hold_commas_quotes_and_line_breaks(tmp_path: Path) -> None:
    table = read(tmp_path, "a.csv", 'text,label\n"one, ""two""\nthree",x\nplain,y\n')
    assert table.columns == {"text": ['one, "two"\nthree', "plain"], "label": ["x", "y"]}
    assert not table.typed


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    table = read(tmp_path, "a.csv", b"\xef\xbb\xbftext,label\r\na,x\r\n")
    assert table.columns == {"text": ["a"], "label": ["x"]}


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_blank_lines_are_skipped_and_counted(tmp_path: Path, name: str) -> None:
    mark = "," if name.endswith("csv") else "\t"
    rows = ["text,label", "", "a,x", "", ",", "b,y", ""]
    table = read(tmp_path, name, "\n".join(rows).replace(",", mark))
    assert table.rows == 2
    assert table.notes == ("3 blank lines skipped",)


def test_a_field_longer_than_the_csv_modules_limit_is_read(tmp_path: Path) -> None:
    table = read(tmp_path, "a.csv", f"text,label\n{'x' * 300_000},1\n")
    assert len(table.columns["text"][0]) == 300_000


def test_a_column_that_nobody_asked_for_is_listed_but_not_kept(tmp_path: Path) -> None:
    table = read(tmp_path, "a.csv", "id,text,label\n1,a,x\n")
    assert table.names == ("id", "text", "label")
    assert set(table.columns) == {"text", "label"}


def test_tsv_quotes_are_ordinary_characters_where_lines_would_merge(tmp_path: Path) -> None:
    lines = ["text\tlabel", '"he said\tx', 'no"\ty', 'plain "quoted" end\tx']
    table = read(tmp_path, "a.tsv", "\n".join(lines))
    assert table.columns["text"] == ['"he said', 'no"', 'plain "quoted" end']


def test_tsv_quotes_wrap_a_field_that_spans_lines(tmp_path: Path) -> None:
    table = read(tmp_path, "a.tsv", 'text\tlabel\n"one\ntwo\tthree"\tx\nplain\ty\n')
    assert table.columns["text"] == ["one\ntwo\tthree", "plain"]


def test_tsv_quoted_fields_lose_their_quotes(tmp_path: Path) -> None:
    table = read(tmp_path, "a.tsv", 'text\tlabel\n"a ""b"" c"\tx\n')
    assert table.columns["text"] == ['a "b" c']


def test_jsonl_keeps_types_and_counts_an_absent_key_as_missing(tmp_path: Path) -> None:
    lines = [{"text": "a\u2028b", "label": 1}, {"text": "c"}]
    content = "\n\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    table = read(tmp_path, "a.jsonl", content)
    assert table.columns == {"text": ["a\u2028b", "c"], "label": [1, None]}
    assert table.typed


def test_parquet_gives_the_wanted_columns(tmp_path: Path) -> None:
    parquet.write_table(
        pa.table({"text": ["a", None], "label": [0, 1], "other": [1.5, 2.5]}),
        tmp_path / "a.parquet",
    )
    table = read_table(tmp_path / "a.parquet", ("text", "label"))
    assert table.columns == {"text": ["a", None], "label": [0, 1]}
    assert table.names == ("text", "label", "other")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", r"a\.csv is empty\."),
        ("a.csv", "\n \n,\n", "holds blank lines only"),
        ("a.csv", "text,label\n", r"has a header \(text, label\) and no rows"),
        (
            "a.csv",
            "text,label\na,b,c\nd,e\nf\n",
            r"2 columns, but 2 of 3 .*line 2 has 3, line 4 has 1",
        ),
        ("a.tsv", "text\tlabel\na\n", r"line 2 has 1\). Put fields that hold a tab"),
        ("a.csv", "text,text,label\na,b,c\n", "has 2 columns called 'text'"),
        ("a.csv", 'text,label\nok,1\n"open,2\nb,3\n', r"line 3: unexpected end of data"),
        ("a.csv", b"text,label\ncaf\xe9,1\n", r"not UTF-8: byte 0xe9 in line 2 .*iconv -f windows"),
        ("a.csv", "text,label\na,1\n".encode("utf-16"), "not UTF-8 but UTF-16"),
        ("a.csv", b"text,\0label\na,1\n", "zero bytes"),
        ("a.csv", "<!DOCTYPE html><html>\n<body>404</body>\n", "is a web page, no table"),
        ("a.txt", "a", r"ending '\.txt'; readable are \.csv, \.tsv, \.jsonl"),
        ("a.jsonl", '{"text": "a"}\n{"text"\n', r"line 2 is not JSON"),
        ("a.jsonl", '["a", 1]\n', r"line 1 is not a JSON object but a list"),
        ("a.jsonl", "\n\n", "holds blank lines only"),
        ("a.parquet", b"PAR1 but not really", "not a readable Parquet file"),
    ],
)
def test_a_damaged_file_is_refused_with_its_place(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, name, content)


def test_a_missing_file_is_answered_with_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "near.csv").write_text("text,label\n")
    with pytest.raises(DataError, match=r"no file .*far\.csv\. The folder has near\.csv\."):
        read_table(tmp_path / "far.csv", ())
    with pytest.raises(DataError, match=r"no folder .*nowhere either"):
        read_table(tmp_path / "nowhere" / "far.csv", ())


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(DataError, match="is a folder"):
        read_table(tmp_path / "a.csv", ())


def test_an_empty_parquet_file_is_refused(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"columns \(text\) and no rows"):
        read_table(tmp_path / "a.parquet", ("text",))


def test_a_header_with_another_delimiter_is_pointed_out(tmp_path: Path) -> None:
    table = read(tmp_path, "a.csv", "text^label|more\na^b\n")
    assert "separated by '|'" in table.hint
    assert "header line" in read(tmp_path, "b.csv", "words,kind\na,b\n").hint


def test_semicolons_are_read_where_the_header_has_no_comma(tmp_path: Path) -> None:
    path = tmp_path / "excel.csv"
    path.write_text('text;label\n"a; b, c";x\nplain, with a comma;y\n')
    table = read_table(path, ["text", "label"])
    assert table.columns == {"text": ["a; b, c", "plain, with a comma"], "label": ["x", "y"]}
    assert table.notes == ("read as separated by semicolons",)
