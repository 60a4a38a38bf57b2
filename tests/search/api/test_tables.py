"""Frames and data sets in memory as files: the same rows, or a reason why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

from search.api import tables
from search.api.tables import path_of
from search.api.words import spec_of
from search.errors import InputError


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"text": ["a", "b", "c"], "label": ["x", "y", "x"], **columns})


def test_a_name_and_a_path_stay_what_they_are() -> None:
    assert path_of("trec") == "trec"
    assert path_of(Path("my.csv")) == "my.csv"


def test_equal_frames_are_one_file_and_others_another() -> None:
    first = path_of(frame(), "mine")
    assert first == path_of(frame().set_index(pd.Index([7, 8, 9])), "mine")
    assert first != path_of(frame(text=["a", "b", "d"]), "mine")
    assert Path(first).name == "mine.parquet"
    pd.testing.assert_frame_equal(pd.read_parquet(first), frame(), check_dtype=False)


def test_categories_and_times_become_plain_values() -> None:
    given = frame(label=pd.Categorical(["x", "y", "x"]), when=pd.to_datetime(["2020-01-01"] * 3))
    read = pd.read_parquet(path_of(given))
    assert read["label"].tolist() == ["x", "y", "x"]
    assert read["when"].tolist() == ["2020-01-01"] * 3


def test_a_data_set_keeps_the_names_of_its_classes() -> None:
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=["no", "yes"])})
    data = Dataset.from_dict({"text": ["a", "b"], "label": [1, 0]}, features=features)
    assert pd.read_parquet(path_of(data))["label_name"].tolist() == ["yes", "no"]
    both = pd.read_parquet(path_of(DatasetDict({"train": data, "test": data})))
    assert both["split"].tolist() == ["train", "train", "test", "test"]


def test_rows_of_dicts_are_a_table() -> None:
    read = pd.read_parquet(path_of([{"text": "a", "label": 0}, {"text": "b", "label": 1}]))
    assert read["label"].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (pd.DataFrame(), "has 0 rows"),
        (pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])), "levels"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "several columns called 'a'"),
        (pd.DataFrame([[1, 2]], columns=["a", 3]), "must be a text, got 3"),
        (pd.DataFrame({"a": [[1], [2]]}), "cells that are no numbers or texts"),
        (3, "got a int"),
    ],
)
def test_a_frame_that_no_table_can_hold_is_refused(data: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        path_of(data)


def test_a_frame_beyond_the_memory_is_told_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    class Little:
        available = 2**20

    monkeypatch.setattr(psutil, "virtual_memory", Little)
    with pytest.raises(InputError, match=r"The frame's 100,000 rows take 0.0 GiB.*Take a sample"):
        tables.check_frame(pd.DataFrame({"x": range(100_000)}))


def test_trials_at_once_are_counted_among_those_that_read_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Enough:  # for one process, 100,000 cells of 170 bytes, and not for two trials beside it
        available = 20_000_000

    monkeypatch.setattr(psutil, "virtual_memory", Enough)
    frame = pd.DataFrame({"x": range(100_000)})
    tables.check_frame(frame)
    with pytest.raises(InputError, match=r"in this process and 2 trials beside it;.*trials=1"):
        tables.check_frame(frame, trials=2)
    words = {"data": frame, "text": "x", "label": "x", "space": "finetune"}
    with pytest.raises(InputError, match=r"3 trials beside it"):
        spec_of(None, {**words, "trials": 3})
    with pytest.raises(InputError, match=r"3 trials beside it"):
        spec_of(None, {**words, "resources": {"trials": 3}})
    there = {"trials": 3, "ray_address": "ray://head:10001"}
    assert spec_of(None, {**words, "resources": there}).resources.trials == 3
