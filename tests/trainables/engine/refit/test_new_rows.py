"""Rows scored beside a sweep's data: as if they had been the test part of its file."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spaces.linear_eval import SPACE as LINEAR
from spaces.tweets import SPACE as TWEETS
from tests.trainables.tasks import task_of
from trainables.engine.cells import runner
from trainables.engine.contract import Cell, CellResult, Split
from trainables.engine.datasets.load import load_data
from trainables.engine.errors import DataError
from trainables.engine.refit import new_rows
from trainables.engine.refit.new_rows import UnlabelledRows

LIKES = {"few": 10.0, "many": 1000.0}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDRACE_CACHE", str(tmp_path / "cache"))
    torch.set_num_threads(1)


def _write(path: Path, rows: list[tuple[str, ...]]) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label", "likes", "split"), *rows])
    return str(path)


def _rows(many: int, part: str) -> list[tuple[str, ...]]:
    draw = np.random.default_rng(5 if part == "train" else 6)
    found = []
    for number in range(many):
        label = ("few", "many")[number % 2]
        likes = "" if number % 3 == 2 else str(LIKES[label] * (1 + draw.random()))
        words = draw.permutation(["the", "film", "was", "good" if number % 2 else "bad", "plot"])
        found.append((f"{' '.join(words.tolist())} {part} {number}", label, likes, part))
    return found


TWEET = {
    **TWEETS.complete(TWEETS.references["paper"]),
    "max_length": 16,
    "epochs": 3,
    "batch_size": 16,
    "learning_rate": 3e-3,
    "metadata": "log",
    "inner_share": 0.25,
    "head_rate": 30.0,
}
HEAD = {
    **LINEAR.complete(LINEAR.references["tf-idf"]),
    "epochs": 30,
    "learning_rate": 0.1,
    "max_length": 16,
}


@pytest.mark.parametrize(("trainable", "config"), [("tweets", TWEET), ("linear_eval", HEAD)])
def test_rows_get_what_the_test_part_of_a_file_would_get(
    trainable: str, config: dict[str, Any], tmp_path: Path, tiny_encoder: Path
) -> None:
    train, test = _rows(60, "train"), _rows(12, "test")
    metadata = ("likes",) if trainable == "tweets" else ()
    known = _write(tmp_path / "known.csv", train)
    whole = _write(tmp_path / "whole.csv", train + test)
    official = task_of(trainable, tiny_encoder, name=whole, metadata=metadata)
    official = dataclasses.replace(official, split=Split(holdout="official"))
    told: list[CellResult] = []
    cell = Cell(key="a", config=config, seed=2, fold=0)
    runner.train_cells(official, [cell], told.append, stack=1, threads=1)
    assert told[0].error is None

    task = task_of(trainable, tiny_encoder, name=known, metadata=metadata)
    likes = np.array([[float(row[2] or "nan")] for row in test])
    further = UnlabelledRows([row[0] for row in test], metadata=likes if metadata else None)
    found = new_rows.probabilities(task, load_data(task.data), config, 2, further)
    np.testing.assert_allclose(found, told[0].probabilities, atol=1e-5)
    right = found.argmax(axis=1) == [row[1] == "many" for row in test]
    assert right.mean() > 0.7


def test_a_row_of_the_data_itself_takes_none_away_from_training(
    tmp_path: Path, tiny_encoder: Path
) -> None:
    train = _rows(40, "train")
    task = task_of("linear_eval", tiny_encoder, name=_write(tmp_path / "known.csv", train))
    data = load_data(task.data)
    other = new_rows.probabilities(
        task, data, HEAD, 2, UnlabelledRows(["another text", data.texts[3]])
    )
    again = new_rows.probabilities(
        task, data, HEAD, 2, UnlabelledRows(["something", data.texts[3]])
    )
    alone = new_rows.probabilities(task, data, HEAD, 2, UnlabelledRows([data.texts[3]]))
    np.testing.assert_allclose(other[1], again[1], atol=1e-6)
    np.testing.assert_allclose(other[1], alone[0], atol=1e-6)


def test_a_row_without_metadata_is_one_whose_values_are_missing(
    tmp_path: Path, tiny_encoder: Path
) -> None:
    known = _write(tmp_path / "known.csv", _rows(60, "train"))
    task = task_of("tweets", tiny_encoder, name=known, metadata=("likes",))
    data = load_data(task.data)
    texts = ["the film was good", "the film was bad"]
    bare = new_rows.probabilities(task, data, TWEET, 2, UnlabelledRows(texts))
    missing = UnlabelledRows(texts, metadata=np.full((2, 1), np.nan))
    np.testing.assert_array_equal(bare, new_rows.probabilities(task, data, TWEET, 2, missing))
    liked = UnlabelledRows(texts, metadata=np.array([[10.0], [1500.0]]))
    assert np.abs(new_rows.probabilities(task, data, TWEET, 2, liked) - bare).max() > 0.02


def test_single_texts_for_a_model_of_pairs_are_refused(tmp_path: Path, tiny_encoder: Path) -> None:
    path = tmp_path / "pairs.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = [(f"a {n}", f"b {n}", ("x", "y")[n % 2]) for n in range(20)]
        csv.writer(file).writerows([("text", "text_b", "label"), *rows])
    task = task_of("linear_eval", tiny_encoder, name=str(path), text_b="text_b")
    with pytest.raises(DataError, match="give each row's second text"):
        new_rows.probabilities(task, load_data(task.data), HEAD, 2, UnlabelledRows(["a"]))
