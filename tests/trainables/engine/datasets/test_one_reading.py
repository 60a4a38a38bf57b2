"""The classes of training, of `predict` and of the saved model are one list, for any column."""

from __future__ import annotations

import csv
import io
import json
import tempfile
import unicodedata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from transformers import BertConfig

from trainables.engine.contract import DataRef
from trainables.engine.datasets.known_labels import KnownClasses
from trainables.engine.datasets.load import load_data
from trainables.engine.errors import DataError
from trainables.engine.refit import saved_model
from trainables.engine.tables.read import read_table
from trainables.engine.text_data import TextData

SOUND = st.characters(exclude_categories=("Cc", "Cs", "Cf", "Nd", "Zl", "Zp"))
WORDS = st.text(SOUND, min_size=1, max_size=12).filter(str.strip)
ACCENTS = st.sampled_from(["f\u00e2ch\u00e9", "joie", "\u00e9t\u00e9", "no\u00ebl"]).flatmap(
    lambda word: st.sampled_from([word, unicodedata.normalize("NFD", word), f" {word} "])
)
CODES = st.sampled_from(
    ("0110", "0210", "1e2", "1e3", "+1", "-1", "00", "7", "12", "-0", "1.0", "01")
)
INTS = st.integers(-5, 12) | st.integers(2**53, 2**53 + 3)
FLOATS = st.integers(-5, 12).map(float)
COLUMNS = st.one_of(
    *(
        st.lists(kind, min_size=2, max_size=8)
        for kind in (WORDS, ACCENTS, CODES, INTS, FLOATS, st.booleans())
    )
)
FORMATS = st.sampled_from([".csv", ".tsv", ".jsonl", ".json", ".parquet"])


def write(path: Path, columns: dict[str, list[Any]]) -> None:
    names = list(columns)
    rows = [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if path.suffix == ".parquet":
        parquet.write_table(pa.table(columns), path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        text = io.StringIO(newline="")
        mark = "," if path.suffix == ".csv" else "\t"
        lines = csv.writer(text, delimiter=mark, quoting=csv.QUOTE_ALL)
        lines.writerow(names)
        lines.writerows([str(value) for value in row.values()] for row in rows)
        path.write_text(text.getvalue(), newline="")


def loaded(path: Path) -> TextData:
    """The data, where the column is one of classes at all."""
    try:
        return load_data(DataRef(name=str(path)))
    except DataError as error:
        assume("at least 2 classes" not in str(error) and "fraction" not in str(error))
        raise


@settings(max_examples=150, deadline=None)
@given(COLUMNS, FORMATS, FORMATS, st.booleans())
@example(["0110", "1e2"], ".csv", ".tsv", False)
@example([0, 1], ".parquet", ".jsonl", True)
@example(["f\u00e2ch\u00e9", "fa\u0302che\u0301", "x"], ".csv", ".parquet", False)
def test_all_read_one_list_of_classes(
    labels: list[Any], trained: str, new: str, named: bool
) -> None:
    columns = {"text": [f"text {row}" for row in range(len(labels))], "label": labels}
    if named and isinstance(labels[0], int | float) and not isinstance(labels[0], bool):
        # Numbers as names, of other classes than they name.
        columns["label_name"] = [str(int(label) + 1) for label in labels]
    with tempfile.TemporaryDirectory() as folder:
        path, again = Path(folder, f"trained{trained}"), Path(folder, f"new{new}")
        write(path, columns)
        data = loaded(path)
        write(again, columns)
        plain = {file for file in (trained, new) if file in (".csv", ".tsv")}
        if isinstance(labels[0], float) and len(plain) == 1 and trained != new:
            again = path  # strings keep the nought after the point
        rows = read_table(again, None)
    read = KnownClasses(data.label_names, data.labels_written).read(rows, "label", range(rows.rows))
    assert read.notes == ()
    assert read.places == list(range(len(labels)))
    assert read.ids.tolist() == data.labels.tolist()
    network: Any = SimpleNamespace(label_names=data.label_names)
    config = json.loads(saved_model._named(network, BertConfig()).to_json_string())
    assert tuple(config["id2label"].values()) == data.label_names
    assert [int(number) for number in config["id2label"]] == list(range(len(data.label_names)))
    assert [config["label2id"][name] for name in data.label_names] == list(
        range(len(data.label_names))
    )
