"""Fine-tuning for a file of one's own, and what counted words reach on the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from spaces.finetune import SPACE
from tests.trainables.tasks import task_of, task_of_reviews
from trainables.engine.cells import runner
from trainables.engine.contract import Cell, CellResult, Task
from trainables.engine.datasets.load import load_data
from trainables.engine.errors import ConfigError
from trainables.engine.refit import network, new_rows
from trainables.engine.refit.new_rows import UnlabelledRows
from trainables.engine.splits import folds
from trainables.finetune import Config, TfidfRegression

SMALL: dict[str, Any] = {"max_length": 16, "epochs": 2, "learning_rate": 3e-3}
TFIDF = SPACE.complete(SPACE.references["tf-idf"])


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDRACE_CACHE", str(tmp_path / "cache"))
    torch.set_num_threads(1)


@pytest.fixture
def task(reviews: Path, tiny_encoder: Path) -> Task:
    return task_of_reviews("finetune", tiny_encoder, reviews)


def usual(**change: Any) -> dict[str, Any]:
    return {**SPACE.complete(SPACE.references["usual"]), **SMALL, **change}


def trained(task: Task, *configs: dict[str, Any], **how: Any) -> list[CellResult]:
    cells = [
        Cell(key=str(number), config=config, seed=2, fold=1)
        for number, config in enumerate(configs)
    ]
    found: dict[str, CellResult] = {}
    runner.train_cells(task, cells, lambda one: found.__setitem__(one.key, one), threads=1, **how)
    assert [one.error for one in found.values() if one.error] == []
    return [found[cell.key] for cell in cells]


def test_the_baseline_is_what_berts_paper_recommends() -> None:
    assert SPACE.baseline == "usual"
    reference = SPACE.complete(SPACE.references["usual"])
    assert reference["learning_rate"] in (5e-5, 3e-5, 2e-5)
    assert reference["batch_size"] in (16, 32)
    assert reference["epochs"] in (2, 3, 4)
    assert len(SPACE) == 192


def test_nothing_but_the_kind_of_classifier_is_part_of_counted_words_key() -> None:
    assert SPACE.keyed(SPACE.active(TFIDF)) == {"classifier": "tfidf"}
    changed = SPACE.fix({"max_length": 64, "class_weights": "balanced"})
    assert changed.active(changed.references["tf-idf"]) == {"classifier": "tfidf"}


def test_class_weights_of_two_kinds_train_in_one_stack_as_alone(task: Task) -> None:
    configs = [usual(), usual(class_weights="balanced", label_smoothing=0.2)]
    together = trained(task, *configs, stack=2)
    for one, other in zip(together, trained(task, *configs, stack=1), strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=0.02)


def test_counted_words_are_scikit_learns_on_the_folds_own_rows(task: Task) -> None:
    (found,) = trained(task, TFIDF)
    data = load_data(task.data)
    train, held_out = folds.held_out(data, task.split, 2, 1)
    words = TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
    model = LogisticRegression(C=10, max_iter=1000)
    model.fit(words.fit_transform([data.texts[row] for row in train]), data.labels[train])
    expected = model.predict_proba(words.transform([data.texts[row] for row in held_out]))
    np.testing.assert_array_equal(found.rows, held_out)
    np.testing.assert_allclose(found.probabilities, expected, rtol=1e-5)
    assert found.metrics["accuracy"] > 0.9


def test_counted_words_stand_beside_networks_in_one_trial(task: Task) -> None:
    network_cell, words = trained(task, usual(), TFIDF)
    assert network_cell.metrics.keys() - words.metrics.keys() == {"parameters"}
    assert words.metrics.keys() <= network_cell.metrics.keys()
    np.testing.assert_array_equal(network_cell.rows, words.rows)
    assert len(network_cell.epochs) == 2


def test_words_of_a_pairs_second_text_are_counted_apart(tmp_path: Path, tiny_encoder: Path) -> None:
    lines = [
        ("good film", "bad film", "first") if n % 2 else ("bad film", "good film", "second")
        for n in range(60)
    ]
    path = tmp_path / "pairs.csv"
    rows = [f"{a} {n},{b} {n},{label}" for n, (a, b, label) in enumerate(lines)]
    path.write_text("\n".join(["a,b,label", *rows]), encoding="utf-8")
    task = task_of("finetune", tiny_encoder, name=str(path), text="a", text_b="b")
    (found,) = trained(task, TFIDF)
    assert found.metrics["accuracy"] == 1.0


@pytest.mark.parametrize(
    ("texts", "labels", "expected"),
    [
        (["!!", "..", "!?", "--"], [0, 0, 0, 1], [0.75, 0.25, 0.0]),  # not one word
        (["a b", "c d"], [1, 1], [0.0, 1.0, 0.0]),  # one class
    ],
)
def test_where_there_is_nothing_to_learn_classes_have_their_shares(
    texts: list[str], labels: list[int], expected: list[float]
) -> None:
    classifier = TfidfRegression()
    classifier.fit([texts], np.array(labels))
    np.testing.assert_allclose(classifier.probabilities([["a new text"]], 3), [expected])


def test_new_rows_are_read_by_counted_words_fitted_to_all_rows(task: Task) -> None:
    data = load_data(task.data)
    assert "no network" in str(network.fault("finetune", TFIDF))
    assert network.fault("finetune", usual()) is None
    given = UnlabelledRows(list(data.texts[:30]))
    found = new_rows.probabilities(task, data, TFIDF, 2, given)
    assert (found.argmax(axis=1) == data.labels[:30]).all()


def test_an_estimator_is_timed_without_a_network(task: Task) -> None:
    timing = runner.measure(task, Cell(key="a", config=TFIDF, seed=2, fold=0))
    assert timing.seconds_per_cell > 0
    assert timing.stack_size == 1


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"classifier one of encoder, tfidf, got 'svm'"):
        Config(**usual(classifier="svm"))
    with pytest.raises(ConfigError, match=r"class_weights one of none, balanced.*label_smoothing"):
        Config(**usual(class_weights="heavy", label_smoothing=1.0))
