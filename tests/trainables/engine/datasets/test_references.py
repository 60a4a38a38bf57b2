"""What a data reference leads to: a registry name, its subsets, a file, or help."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from trainables.engine.contract import DataRef
from trainables.engine.datasets.load import DataError, load_data


@pytest.fixture(autouse=True)
def no_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FOLDRACE_DATA", raising=False)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("trecc", r"No data set 'trecc'\. Did you mean 'trec'"),
        ("nothing-like-it", r"Known names: .*trec.*or a hub id such as"),
        ("gone/file.csv", r"no file gone/file\.csv\. There is no folder gone either"),
        ("sheet.xlsx", r"ending '\.xlsx'; readable are"),
        (
            "factify2",
            r"not on the hub\. Ask the organisers.*factify2\.parquet \(columns text, text_b",
        ),
    ],
)
def test_a_name_that_leads_nowhere_says_what_would(name: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_data(DataRef(name=name))


def registered(folder: Path, name: str, rows: int) -> None:
    labels = [i % 6 for i in range(rows)]
    names = ["ABBR", "ENTY", "DESC", "HUM", "LOC", "NUM"]
    columns = {
        "text": [f"question {i}" for i in range(rows)],
        "label": labels,
        "label_name": [names[label] for label in labels],
        "split": ["train" if i % 5 else "test" for i in range(rows)],
    }
    parquet.write_table(pa.table(columns), folder / f"{name}.parquet")


def test_a_registry_name_is_found_in_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered(tmp_path, "trec", 1200)
    monkeypatch.setenv("FOLDRACE_DATA", str(tmp_path))
    data = load_data(DataRef(name="trec"))
    assert (len(data), data.name) == (1200, "trec")
    assert data.label_names == ("ABBR", "ENTY", "DESC", "HUM", "LOC", "NUM")
    small = load_data(DataRef(name="TREC-1k"))
    assert len(small) == 1000
    assert set(small.texts) < set(data.texts)
    assert len(load_data(DataRef(name="trec-1k", subset=100))) == 100


def test_a_folder_may_hold_the_drawn_subset_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered(tmp_path, "trec_1k", 1000)
    monkeypatch.setenv("FOLDRACE_DATA", str(tmp_path))
    assert len(load_data(DataRef(name="trec-1k"))) == 1000


def test_a_data_folder_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDRACE_DATA", "no/such/folder")
    with pytest.raises(DataError, match="FOLDRACE_DATA names 'no/such/folder', which is no folder"):
        load_data(DataRef(name="trec"))
