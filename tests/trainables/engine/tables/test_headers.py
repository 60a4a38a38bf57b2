"""A header read alone has the names that the whole file has, or leaves it to its reader."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from trainables.engine.contract import DataRef
from trainables.engine.datasets import load
from trainables.engine.errors import DataError
from trainables.engine.tables import headers
from trainables.engine.tables.headers import read_header
from trainables.engine.tables.read import read_table

FILES = {
    "plain.csv": "text,label\na b,x\n",
    "mark.csv": "\ufefftext,label\r\na b,x\r\n",
    "blank.csv": "\n ,\ntext, label\na b,x\n",
    "semicolons.csv": "text;label\na b;x\n",
    "quoted.csv": '"text, all of it",label\na b,x\n',
    "one.csv": "text\tlabel\na b\tx\n",
    "plain.tsv": "text\tlabel\na b\tx\n",
    "broken.csv": '"text\nall of it",label\na,x\n',
    "quotes.tsv": '"text"\tlabel\na\tx\n',
    "bars.csv": "text|label\na|x\n",
    "title.csv": "Reviews, 2024\ntext,label\na,x\n",
    "excel.csv": "sep=;\ntext;label\na;x\n",
    "single.csv": "'text','label'\n'a, b','x'\n",
    "ends.csv": "text,label,,\na,x,,\n",
    "rows.jsonl": '{"text": "a", "label": 1}\n{"text": "b", "label": 2, "more": 3}\n',
}


@pytest.mark.parametrize("name", FILES)
def test_a_header_has_the_names_that_the_whole_file_has(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(FILES[name], encoding="utf-8", newline="")
    wanted = ("text", "label")
    header, whole = read_header(path, wanted), read_table(path, wanted)
    assert header is not None
    assert (header.names, header.hint) == (whole.names, whole.hint)


@pytest.mark.parametrize("name", FILES)
def test_the_first_line_of_a_large_file_is_believed_only_where_it_is_plain(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headers, "_WHOLE_BYTES", 0)
    path = tmp_path / name
    path.write_text(FILES[name], encoding="utf-8", newline="")
    header = read_header(path, ("text", "label"))
    plain = name in {"plain.csv", "mark.csv", "plain.tsv", "quoted.csv"}
    assert (header is not None) is plain
    if header is not None:
        whole = read_table(path, ("text", "label"))
        assert (header.names, header.hint) == (whole.names, whole.hint)


def test_a_parquet_header_needs_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"text": ["a"], "label": ["x"]}), path)
    header = read_header(path)
    assert header is not None
    assert header.names == ("text", "label")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"\xff\xfet\x00"),
        ("a.csv", b"caf\xe9,label\na,x\n"),
        ("a.csv", b"<!doctype html><p>"),
        ("a.csv", b"\n\n"),
        ("a.jsonl", b"no json\n"),
        ("a.parquet", b"no parquet"),
    ],
)
def test_what_a_first_line_cannot_tell_is_left_to_the_reader(
    tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert read_header(path) is None


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"text": "bdy"}, "no column 'bdy'. Did you mean 'body'?"),
        ({"text": "body", "label": "verdikt"}, "Did you mean 'verdict'?"),
        ({"text": "body", "label": "verdict", "text_b": "second"}, "no column 'second'"),
        ({"text": "body", "label": "verdict", "image": "picture"}, "Choose one with --image"),
        ({"text": "body", "label": "verdict", "metadata": ("age",)}, "'age' for --metadata"),
    ],
)
def test_a_missing_column_is_refused_in_the_words_of_the_reader(
    reviews: Path, columns: dict[str, str], said: str
) -> None:
    ref = DataRef(name=str(reviews), **columns)  # type: ignore[arg-type]
    messages = []
    for check in (load.check_names, load.load_data):
        with pytest.raises(DataError) as refused:
            check(ref)
        messages.append(str(refused.value))
    assert said in messages[0]
    assert messages[0] == messages[1]


def test_names_that_lead_somewhere_pass(reviews: Path) -> None:
    load.check_names(DataRef(name=str(reviews), text="body", label="verdict"))
    load.check_names(DataRef(name="owner/on-the-hub"))
    with pytest.raises(DataError, match="Did you mean 'trec'"):
        load.check_names(DataRef(name="trek"))
