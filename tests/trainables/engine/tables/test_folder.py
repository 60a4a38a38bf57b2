"""A folder is read where it is one table, else it says what to give instead."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import pytest

from tests.bad_tables import LABELS, POINTER, TEXTS, csv, jsonl, of_arrow, of_parquet
from trainables.engine.contract import DataRef
from trainables.engine.datasets.load import load_data, local_path
from trainables.engine.errors import DataError
from trainables.engine.tables import folder as folder_module
from trainables.engine.tables.read import read_table

PARQUET = of_parquet(label=LABELS)


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


TRAIN, TEST = "train-00000-of-00001", "test-00000-of-00001"
READ: dict[str, tuple[dict[str, bytes], list[str]]] = {
    "cloned from the hub": (
        {
            f"data/{TRAIN}.parquet": PARQUET,
            f"data/{TEST}.parquet": PARQUET,
            "README.md": b"x",
            "dataset_infos.json": b"{}",
            ".git/a.parquet": b"x",
        },
        ["test", "train"],
    ),
    "converted by the hub": (
        {"default/train/0000.parquet": PARQUET, "default/test/0000.parquet": PARQUET},
        ["test", "train"],
    ),
    "a part of the set's own": (
        {f"{TRAIN}.parquet": PARQUET, "unsupervised-00000-of-00001.parquet": PARQUET},
        ["train", "unsupervised"],
    ),
    "written by Spark": (
        {
            "part-00000-8f0c.c000.snappy.parquet": PARQUET,
            "part-00001-8f0c.c000.snappy.parquet": PARQUET,
            "_SUCCESS": b"",
            "_metadata/a.parquet": b"x",
        },
        [],
    ),
    "partitioned": (
        {"split=train/a.parquet": PARQUET, "split=test/a.parquet": PARQUET},
        ["test", "train"],
    ),
    "partitioned by something else": (
        {"year=2023/a.parquet": PARQUET, "year=2024/a.parquet": PARQUET},
        [],
    ),
    "a file of each part": ({"train.csv": csv(LABELS), "dev.csv": csv(LABELS)}, ["train", "valid"]),
    "lines of each part": (
        {"train.jsonl": jsonl(), "validation.jsonl": jsonl(), "state.json": b"{}"},
        ["train", "valid"],
    ),
    "Arrow": ({"a.arrow": of_arrow(label=LABELS), "b.arrow": of_arrow(label=LABELS)}, []),
    "one file": ({"table.parquet": PARQUET}, []),
}


@pytest.mark.parametrize("name", READ)
def test_a_folder_of_one_table_is_read(name: str, tmp_path: Path) -> None:
    files, parts = READ[name]
    data = load_data(DataRef(name=str(put(tmp_path / "set", files))))
    tables = sum(file.endswith(("parquet", "arrow", "csv", "jsonl")) for file in files)
    tables -= sum(file.startswith((".", "_")) and "parquet" in file for file in files)
    assert len(data) == 60 * tables
    assert sorted(set([] if data.official is None else data.official.tolist())) == parts
    assert data.label_names == ("0", "1")
    assert data.name == "set"
    assert f"read from {tables} file" in " ".join(data.notes)


def test_a_set_saved_by_datasets_is_read(tmp_path: Path) -> None:
    rows = {"text": TEXTS, "label": LABELS}
    parts = {part: datasets.Dataset.from_dict(rows) for part in ("train", "test")}
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "saved"))
    data = load_data(DataRef(name=str(tmp_path / "saved")))
    assert data.official is not None
    assert data.official.tolist() == ["test"] * 60 + ["train"] * 60
    assert list(data.texts) == TEXTS * 2


REFUSED: dict[str, tuple[dict[str, bytes], str]] = {
    "empty": ({}, "is a folder without tables: give a file"),
    "text": ({"a.txt": b"x"}, "is a folder without tables"),
    "model": (
        {"config.json": b"{}"},
        "a folder with a model, not data: is it for --model",
    ),
    "some tables": (
        {"a.csv": csv(LABELS), "b.csv": csv(LABELS)},
        r"is a folder with the tables a\.csv, b\.csv: give one of them",
    ),
    "tables of two kinds": (
        {"train.csv": csv(LABELS), "train.parquet": PARQUET},
        r"with the tables train\.csv, train\.parquet",
    ),
    "two configurations": (
        {f"one/{TRAIN}.parquet": PARQUET, f"two/{TRAIN}.parquet": PARQUET},
        r"is a folder with 2 tables: give one of the folders .*/set/one, .*/set/two",
    ),
    "a part and another file": (
        {"train.parquet": PARQUET, "old.parquet": PARQUET},
        r"files of a part \(train\) and others \(old\.parquet\)",
    ),
    "pointers": (
        {f"data/{TRAIN}.parquet": POINTER},
        r"train-00000-of-00001\.parquet .*git-lfs pointer.*git lfs pull",
    ),
    "other columns": (
        {"train.csv": csv(LABELS), "test.csv": csv(LABELS, "text,lable")},
        r"test\.csv has no column 'label', as .*train\.csv has",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_folder_of_no_one_table_says_what_to_give(name: str, tmp_path: Path) -> None:
    files, message = REFUSED[name]
    (tmp_path / "set").mkdir()
    with pytest.raises(DataError, match=message):
        load_data(DataRef(name=str(put(tmp_path / "set", files))))


def test_a_disk_is_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "_MOST_ENTRIES", 5)
    with pytest.raises(DataError, match="more than 5 files"):
        read_table(put(tmp_path, {f"{n}.parquet": b"" for n in range(6)}), ())


def test_a_part_that_changed_is_read_again(tmp_path: Path) -> None:
    folder = put(tmp_path / "set", {"a.parquet": PARQUET})
    before = load_data(DataRef(name=str(folder)))
    assert load_data(DataRef(name=str(folder))) is before
    put(folder, {"b.parquet": PARQUET})
    assert len(load_data(DataRef(name=str(folder)))) == 2 * len(before)


def test_the_fingerprint_is_that_of_the_rows(tmp_path: Path) -> None:
    one = put(tmp_path, {"a.parquet": PARQUET}) / "a.parquet"
    folder = put(tmp_path / "set", {"b.parquet": PARQUET})
    first, second = (load_data(DataRef(name=str(path))) for path in (one, folder))
    assert first.fingerprint == second.fingerprint


def test_a_name_of_the_registry_is_no_folder_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(put(tmp_path, {"trec/a.parquet": PARQUET, "mine/a.parquet": PARQUET}))
    assert local_path("trec") is None
    assert local_path("mine") == tmp_path / "mine"
    assert local_path("owner/of-the-hub") is None
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "a"}))
    assert local_path("a.jsonl") == tmp_path / "a.jsonl"
