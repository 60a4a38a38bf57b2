"""Every fault of the data that can be known before training is a message, not a crash."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from trainables.engine.contract import DataRef
from trainables.engine.datasets.load import DataError, TextData, load_data


def jsonl(tmp_path: Path, rows: Sequence[Mapping[str, Any]], name: str = "data.jsonl") -> str:
    path = tmp_path / name
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return str(path)


def loaded(tmp_path: Path, labels: Sequence[Any], **fields: Any) -> TextData:
    rows = [{"text": f"text {i}", "label": label} for i, label in enumerate(labels)]
    return load_data(DataRef(name=jsonl(tmp_path, rows), **fields))


def test_words_are_classes_in_sorted_order(tmp_path: Path) -> None:
    data = loaded(tmp_path, ["pos", "neg", " pos", "neu"])
    assert data.label_names == ("neg", "neu", "pos")
    assert data.labels.tolist() == [2, 0, 2, 1]
    assert data.labels.dtype == np.int64


def test_whole_numbers_keep_their_order_and_name_themselves(tmp_path: Path) -> None:
    data = loaded(tmp_path, [10, 2, -1, 2])
    assert data.label_names == ("-1", "2", "10")
    assert data.labels.tolist() == [2, 1, 0, 1]


def test_numbers_of_a_csv_file_are_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\na,10\nb,2\n")
    assert load_data(DataRef(name=str(tmp_path / "a.csv"))).label_names == ("2", "10")


def test_numbers_with_a_missing_neighbour_come_as_fractions_of_nothing(tmp_path: Path) -> None:
    """A column of 0 and 1 with gaps is 0.0 and 1.0 in most tools: still classes 0 and 1."""
    data = loaded(tmp_path, [1.0, 0.0, None], drop_missing=True)
    assert data.label_names == ("0", "1")
    assert data.dropped == 1


def test_logical_values_are_classes(tmp_path: Path) -> None:
    assert loaded(tmp_path, [True, False]).label_names == ("False", "True")


def test_a_companion_column_names_the_numbers(tmp_path: Path) -> None:
    rows = [
        {"text": "a", "label": 7, "label_name": "late"},
        {"text": "b", "label": 3, "label_name": "soon"},
    ]
    assert load_data(DataRef(name=jsonl(tmp_path, rows))).label_names == ("soon", "late")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, "pos", 1], r"mixed types: 2 number \(such as 0\), 1 word \(such as 'pos'\)"),
        (["1", "pos"], r"mixed types: 1 number \(such as '1'\), 1 word"),
        ([1, "1"], r"1 number \(such as 1\), 1 number in quotes \(such as '1'\)"),
        ([True, "yes"], r"1 logical value \(such as True\), 1 word"),
        ([True, 2], r"1 logical value \(such as True\), 1 number"),
        ([0.5, 1.0], r"found the fraction 0\.5: scores are no labels"),
        ([[0], [1]], r"one class a row.*found a list: \[0\]"),
        (["a", "a"], r"at least 2 classes, every row is 'a'"),
        ([3, 3], r"at least 2 classes, every row is '3'"),
        (
            ["a", None, ""],
            r"missing values in 2 of 3 rows \(2 in 'label'; .*data row 2\).*--drop-m",
        ),
        ([None, None], r"missing values in 2 of 2"),
    ],
)
def test_labels_that_are_no_classes_are_refused(
    tmp_path: Path, labels: Sequence[Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        loaded(tmp_path, labels)


def test_mixed_labels_of_a_csv_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\na,1\nb,pos\n")
    with pytest.raises(DataError, match="mixed types"):
        load_data(DataRef(name=str(tmp_path / "a.csv")))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["no", "no"], r"classes \[0, 1\] are all called 'no'"),
        (["no", None], r"class 1 has a row without a class name"),
        (["no", "yes", "nay"], r"class 0 is called 'no' in one row and 'nay'"),
    ],
)
def test_class_names_that_contradict_the_ids_are_refused(
    tmp_path: Path, names: Sequence[str | None], message: str
) -> None:
    rows = [{"text": "abc"[i], "label": i % 2, "label_name": name} for i, name in enumerate(names)]
    with pytest.raises(DataError, match=message):
        load_data(DataRef(name=jsonl(tmp_path, rows)))


def test_missing_texts_and_labels_are_counted_then_dropped_on_request(tmp_path: Path) -> None:
    rows = [
        {"text": "a", "label": "x"},
        {"text": "  ", "label": "x"},
        {"text": "c", "label": None},
        {"text": None, "label": None},
        {"text": "e", "label": "y"},
    ]
    name = jsonl(tmp_path, rows)
    with pytest.raises(DataError, match=r"3 of 5 rows \(2 in 'text', 2 in 'label'"):
        load_data(DataRef(name=name))
    data = load_data(DataRef(name=name, drop_missing=True))
    assert data.texts == ("a", "e")
    assert data.dropped == 3


def test_nothing_left_after_dropping_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no row with a text and a label"):
        loaded(tmp_path, [None, None], drop_missing=True)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"text": "txt"},
            r"no column 'txt'\. Did you mean 'text'\? Its columns: text, label\. .*--text",
        ),
        (
            {"label": "class"},
            r"no column 'class'.* Its columns: text, label\. Choose one with --label",
        ),
        ({"text_b": "text_b"}, r"no column 'text_b'\..*--text-b"),
        ({"text_b": "text"}, r"must be different columns, got --text text, --text-b text"),
        ({"text": "label"}, r"must be different columns"),
    ],
)
def test_columns_that_are_not_there_are_answered_with_those_that_are(
    tmp_path: Path, fields: dict[str, str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        loaded(tmp_path, ["a", "b"], **fields)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a", 5], r"'text' of .* must hold text, found a int: '5'"),
        ([["a"], ["b"]], r"found a list"),
        (["1", "-2.5"], r"every value is a number, for example '1'"),
        (["fine", "half \ud83d here"], r"line 2, holds half a character"),
    ],
)
def test_a_text_column_must_hold_text(tmp_path: Path, texts: Sequence[Any], message: str) -> None:
    rows = [{"text": text, "label": i} for i, text in enumerate(texts)]
    with pytest.raises(DataError, match=message):
        load_data(DataRef(name=jsonl(tmp_path, rows)))


def test_copies_that_differ_in_white_space_share_a_group(tmp_path: Path) -> None:
    texts = ["a  b", "a b ", "A b", "c"]
    rows = [{"text": text, "label": i % 2} for i, text in enumerate(texts)]
    data = load_data(DataRef(name=jsonl(tmp_path, rows)))
    assert data.groups.tolist() == [0, 0, 1, 2]
    assert data.texts[0] == "a  b"


def test_pairs_are_copies_only_when_both_texts_are(tmp_path: Path) -> None:
    pairs = [("a", "b"), ("a", "c"), ("a", "b")]
    rows = [{"text": a, "other": b, "label": i % 2} for i, (a, b) in enumerate(pairs)]
    data = load_data(DataRef(name=jsonl(tmp_path, rows), text_b="other"))
    assert data.texts_b == ("b", "c", "b")
    assert data.groups.tolist() == [0, 1, 0]


def test_split_names_are_those_that_all_data_sets_share(tmp_path: Path) -> None:
    parts = ["Train", "dev", "validation", "test", "extra"]
    rows = [{"text": f"t{i}", "label": i % 2, "split": part} for i, part in enumerate(parts)]
    data = load_data(DataRef(name=jsonl(tmp_path, rows)))
    assert data.official is not None
    assert data.official.tolist() == ["train", "valid", "valid", "test", "extra"]


def test_a_split_column_with_many_values_is_no_official_split(tmp_path: Path) -> None:
    rows = [{"text": f"t{i}", "label": i % 2, "split": f"part {i}"} for i in range(20)]
    data = load_data(DataRef(name=jsonl(tmp_path, rows)))
    assert data.official is None
    assert data.notes == ("column 'split' has 20 values: not read as official parts",)


def test_a_pair_column_that_is_not_used_is_mentioned(tmp_path: Path) -> None:
    assert "--text-b text_b" in load_data(DataRef(name=jsonl(tmp_path, BASE))).notes[0]


def test_long_numbers_are_not_rounded_together(tmp_path: Path) -> None:
    assert len(loaded(tmp_path, [2**60, 2**60 + 1]).label_names) == 2


BASE = [
    {"text": "a", "text_b": "p", "label": "x", "split": "train"},
    {"text": "b", "text_b": "q", "label": "y", "split": "test"},
    {"text": "c", "text_b": "r", "label": "x", "split": "train"},
]


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [(0, "text", "A"), (1, "text_b", "Q"), (2, "label", "y"), (2, "split", "test")],
)
def test_any_changed_content_changes_the_fingerprint(
    tmp_path: Path, row: int, column: str, value: str
) -> None:
    changed = [dict(other) for other in BASE]
    changed[row][column] = value
    first = load_data(DataRef(name=jsonl(tmp_path, BASE, "one.jsonl"), text_b="text_b"))
    second = load_data(DataRef(name=jsonl(tmp_path, changed, "two.jsonl"), text_b="text_b"))
    assert first.fingerprint != second.fingerprint
    assert first != second


def test_order_counts_and_the_path_does_not(tmp_path: Path) -> None:
    one = load_data(DataRef(name=jsonl(tmp_path, BASE, "one.jsonl")))
    copy = load_data(DataRef(name=jsonl(tmp_path, BASE, "copy.jsonl")))
    turned = load_data(DataRef(name=jsonl(tmp_path, BASE[::-1], "turned.jsonl")))
    assert one == copy
    assert one.name != copy.name
    assert one != turned


def test_the_file_format_does_not_change_the_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\na,x\nb,y\n")
    (tmp_path / "a.tsv").write_text("text\tlabel\na\tx\nb\ty\n")
    parquet.write_table(pa.table({"text": ["a", "b"], "label": ["x", "y"]}), tmp_path / "a.parquet")
    jsonl(tmp_path, [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}], "a.jsonl")
    prints = {load_data(DataRef(name=str(path))).fingerprint for path in tmp_path.iterdir()}
    assert len(prints) == 1


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    name = jsonl(tmp_path, BASE)
    before = load_data(DataRef(name=name))
    assert load_data(DataRef(name=name)) is before
    jsonl(tmp_path, [*BASE, {"text": "new", "text_b": "s", "label": "y", "split": "train"}])
    assert len(load_data(DataRef(name=name))) == len(before) + 1
