"""The linear evaluation: cells with tables of their own, and scikit-learn beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from search.errors import InputError
from search.planning.prepare import prepare
from search.spec.make_spec import make_spec
from spaces.linear_eval import SPACE
from tests.trainables.tasks import task_of_reviews
from trainables import linear_eval
from trainables.engine.cells import runner
from trainables.engine.cells.trainable import Trainable
from trainables.engine.contract import Cell, CellResult, DataRef, Split, Task
from trainables.engine.datasets.load import load_data
from trainables.engine.errors import TaskChangedError
from trainables.engine.features import extraction
from trainables.engine.splits import folds

SPLIT = Split(folds=3)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDRACE_CACHE", str(tmp_path / "cache"))
    torch.set_num_threads(1)


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    path = tmp_path / "vectors.txt"
    words = ["the", "film", "good", "bad", "great", "awful", "plot", "dull", "fine", "warm"]
    table = np.random.default_rng(1).normal(size=(len(words), 12))
    lines = [
        f"{w} {' '.join(f'{x:.4f}' for x in row)}" for w, row in zip(words, table, strict=True)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def task(reviews: Path, tiny_encoder: Path) -> Task:
    return task_of_reviews("linear_eval", tiny_encoder, reviews)


def config(vectors: Path, **change: Any) -> dict[str, Any]:
    start = SPACE.complete(SPACE.references["tf-idf"])
    return {**start, "max_length": 16, "word2vec": str(vectors), "glove": str(vectors), **change}


def train(task: Task, *cells: Cell) -> dict[str, CellResult]:
    results: list[CellResult] = []
    runner.train_cells(task, cells, results.append, threads=1)
    assert [r.error for r in results if r.error] == []
    return {result.key: result for result in results}


def test_the_space_is_the_papers() -> None:
    assert len(SPACE) == 48
    axes = {axis.name: axis.values for axis in SPACE.axes}
    assert len(axes["representation"]) == 8
    assert axes["weight_decay"] == (1e-1, 1e-3, 1e-5)
    assert axes["epochs"] == (1, 2)
    fixed = SPACE.fixed
    assert (fixed["learning_rate"], fixed["batch_size"]) == (1e-3, 128)
    assert (fixed["schedule"], fixed["max_length"]) == ("cosine", 512)


def test_cells_of_many_folds_share_a_stack_each_with_its_own_tfidf(
    task: Task, vectors: Path
) -> None:
    made = config(vectors, learning_rate=0.05)
    cells = [
        Cell(key=f"{seed} {fold}", config=made, seed=seed, fold=fold)
        for seed in (2, 16)
        for fold in range(3)
    ]
    cells.append(Cell(key="short", config={**made, "epochs": 1}, seed=16, fold=1))
    together = train(task, *cells)
    for one in cells:
        alone = train(task, one)[one.key]
        np.testing.assert_array_equal(together[one.key].rows, alone.rows)
        np.testing.assert_allclose(together[one.key].probabilities, alone.probabilities, atol=1e-5)


@pytest.mark.parametrize("name", SPACE.axes[0].values)
def test_it_comes_to_scikit_learns_logistic_regression(
    name: str, task: Task, vectors: Path
) -> None:
    # Trained long with AdamW's decay w, a layer settles near an L2-regularised optimum; without
    # decay and before separation, near the unregularised one: the same predictions.
    made = config(vectors, representation=name, learning_rate=0.03, weight_decay=0.0, epochs=200)
    result = train(task, Cell(key="a", config=made, seed=2, fold=1))["a"]
    data = load_data(task.data)
    wanted = linear_eval.representation(Trainable.load("linear_eval").bind(made))
    tables = extraction.tables(data, task.model, wanted, SPLIT, [(2, 1)])
    rows, held_out = folds.held_out(data, SPLIT, 2, 1)
    peer = LogisticRegression(C=1e3, max_iter=5000)
    peer.fit(tables.values[rows].numpy(), data.labels[rows])
    expected = peer.predict_proba(tables.values[held_out].numpy())
    agree = (result.probabilities.argmax(1) == expected.argmax(1)).mean()
    assert agree > 0.92
    own = result.metrics["accuracy"]
    assert own == pytest.approx(
        peer.score(tables.values[held_out], data.labels[held_out]), abs=0.06
    )


def fields(reviews: Path, tiny_encoder: Path, vectors: Path) -> dict[str, Any]:
    return {
        "space": "linear_eval",
        "data": DataRef(name=str(reviews), text="body", label="verdict"),
        "model": str(tiny_encoder),
        "name": "mine",
        "seeds": (2,),
        "folds": 2,
        "fix": {"word2vec": str(vectors), "glove": str(vectors)},
    }


def _keys(plan: Any, name: str) -> set[str]:
    return {key for key, (i, _) in plan.keys.items() if plan.configs[i]["representation"] == name}


def test_a_cells_key_follows_the_contents_of_the_vectors_not_their_path(
    reviews: Path, tiny_encoder: Path, vectors: Path, tmp_path: Path
) -> None:
    spec = fields(reviews, tiny_encoder, vectors)
    first = prepare(make_spec(**spec))[0]
    copy = tmp_path / "elsewhere.txt"
    copy.write_bytes(vectors.read_bytes())
    moved = prepare(make_spec(**spec | {"fix": {"word2vec": str(copy), "glove": str(copy)}}))[0]
    assert set(moved.keys) == set(first.keys)
    copy.write_text("good 1 2\nbad 3 4\n")
    other = prepare(make_spec(**spec | {"fix": {"word2vec": str(vectors), "glove": str(copy)}}))[0]
    assert _keys(other, "glove").isdisjoint(_keys(first, "glove"))
    for name in ("word2vec", "tfidf-bigram", "encoder-mean"):
        assert _keys(other, name) == _keys(first, name)


def test_a_relative_path_holds_in_a_workers_folder(
    reviews: Path, tiny_encoder: Path, vectors: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(vectors.parent)
    spec = fields(reviews, tiny_encoder, vectors)
    plan = prepare(make_spec(**spec | {"fix": {"word2vec": vectors.name, "glove": vectors.name}}))[
        0
    ]
    assert {c["glove"] for c in plan.configs} == {str(vectors.resolve())}
    assert Task.from_json(plan.task.to_json()) == plan.task


def test_a_worker_refuses_vectors_that_changed(
    reviews: Path, tiny_encoder: Path, vectors: Path
) -> None:
    plan = prepare(make_spec(**fields(reviews, tiny_encoder, vectors)))[0]
    vectors.write_text("good 1 2\nbad 3 4\n")
    with pytest.raises(TaskChangedError, match=r"File .*vectors.txt.* changed"):
        runner.train_cells(plan.task, [plan.cell((0, 0))], lambda _: None)


def test_vectors_that_are_nowhere_are_said_before_anything_is_trained(
    reviews: Path, tiny_encoder: Path, vectors: Path
) -> None:
    spec = fields(reviews, tiny_encoder, vectors)
    with pytest.raises(InputError, match=r"--fix word2vec=FILE"):
        prepare(make_spec(**spec | {"fix": {"word2vec": "no-such-vectors-300"}}))
