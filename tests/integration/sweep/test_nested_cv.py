"""Nested cross-validation against loops by hand: real training and MLflow, no Ray."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.console import leaderboard
from search.errors import InputError
from search.planning.inner_plans import inner_plans
from search.planning.prepare import prepare
from search.results.document import of_outcome
from search.spec.make_spec import changed, make_spec
from search.spec.sweep_spec import SweepSpec
from search.sweep import run as sweep
from search.sweep.load import load_record
from tests.integration.ledger_cells import runs_of
from trainables.engine.cells import runner
from trainables.engine.contract import Cell, CellResult, DataRef, Split, Task
from trainables.engine.datasets.load import load_data
from trainables.engine.splits import folds

pytestmark = pytest.mark.integration

PLUGIN = Path(__file__).parents[1] / "bag.py"
RATES = (1e-4, 1e-2, 1.0)


@pytest.fixture
def spec(
    tmp_path: Path,
    ledger_uri: str,
    tiny_encoder: Path,
    reviews: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> SweepSpec:
    monkeypatch.chdir(tmp_path)
    return make_spec(
        space="bag",
        data=DataRef(name=str(reviews), text="body", label="verdict"),
        model=str(tiny_encoder),
        name="mine",
        experiment="test",
        tracking_uri=ledger_uri,
        set_axes={"colour": ("red",)},
        seeds=(2, 16),
        folds=3,
        strategy="grid",
        nested=True,
        plugin=str(PLUGIN),
    )


def _score(task: Task, rate: float, seed: int, fold: int) -> float:
    results: list[CellResult] = []
    config = {"colour": "red", "learning_rate": rate, "batch_size": 16}
    runner.train_cells(task, [Cell(key="k", config=config, seed=seed, fold=fold)], results.append)
    return results[0].metrics["accuracy"]


@pytest.mark.parametrize("train_rows", [None, 30])
def test_the_nested_score_is_that_of_loops_by_hand(
    spec: SweepSpec, trained: list[Cell], tmp_path: Path, train_rows: int | None
) -> None:
    outcome = sweep.run(changed(spec, train_rows=train_rows))
    assert outcome.nested is not None
    task = outcome.plan.task
    data = load_data(task.data)
    scores = []
    for fold in range(3):
        # The other rows as a file of their own: an inner sweep must be a plain sweep on that.
        train, _ = folds.held_out(data, Split(folds=3), 2, fold)
        path = tmp_path / f"without-{fold}.csv"
        with path.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["body", "verdict"])
            rows.writerows((data.texts[r], data.label_names[data.labels[r]]) for r in train)
        ref = DataRef(name=str(path), text="body", label="verdict")
        inner = replace(task, data=ref, data_fingerprint=load_data(ref).fingerprint)
        means = [
            np.mean([_score(inner, rate, seed, f) for seed in (2, 16) for f in range(3)])
            for rate in RATES
        ]
        best = int(np.argmax(means))
        scores.append(_score(task, RATES[best], 2, fold))
        shown = outcome.nested["folds"][fold]
        assert shown["config"]["learning_rate"] == RATES[best]
        assert shown["inner_mean"] == pytest.approx(means[best], abs=1e-12)
    assert outcome.nested["mean"] == pytest.approx(np.mean(scores), abs=1e-12)
    assert outcome.nested["std"] == pytest.approx(np.std(scores, ddof=1), abs=1e-12)


def test_a_nested_sweep_is_found_again_and_trains_nothing_twice(
    spec: SweepSpec, trained: list[Cell], ledger_uri: str
) -> None:
    first = sweep.run(spec)
    assert len(trained) == 3 * 6 * 4, "the sweep and three inner ones; outer cells are the sweep's"
    assert max(Counter(cell.key for cell in trained).values()) == 1
    again = sweep.resume("latest", tracking_uri=ledger_uri, experiment="test")
    assert len(trained) == 72
    assert again.nested == first.nested
    names = sorted(run.info.run_name for run in runs_of(ledger_uri, "test/sweeps"))
    assert names == ["mine", "mine-nested-0", "mine-nested-1", "mine-nested-2"]
    _, found = load_record(ledger_uri, "test", "latest")
    assert found.nested == first.nested
    document = of_outcome(found)
    assert document["winner"]["corrected_by"] == "bbc-cv"
    assert any("Nested cross-validation, 3 outer" in x for x in leaderboard.explanation(document))


def test_an_outer_cell_that_the_sweep_lacks_is_trained_for_it(
    spec: SweepSpec, trained: list[Cell]
) -> None:
    budget = spec.budget.model_copy(update={"max_cells": 6})  # of 18: one config in each sweep
    outcome = sweep.run(spec.model_copy(update={"budget": budget, "strategy": "random"}))
    assert outcome.nested is not None
    assert all(fold["score"] is not None for fold in outcome.nested["folds"])
    assert max(Counter(cell.key for cell in trained).values()) == 1


def test_inner_folds_never_hold_an_outer_row_nor_its_copies(tmp_path: Path) -> None:
    path = tmp_path / "copies.csv"
    draw = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        rows.writerows((f"text {draw.integers(60)}", "ab"[i % 2]) for i in range(120))
    data = load_data(DataRef(name=str(path)))
    for fold in range(3):
        outer = folds.held_out(data, Split(folds=3), 2, fold)[1]
        split = Split(folds=3, outer=(2, fold))
        parts = [folds.held_out(data, split, 16, inner) for inner in range(3)]
        kept = np.setdiff1d(np.arange(120), outer)
        assert np.array_equal(np.sort(np.concatenate([part[1] for part in parts])), kept)
        for train, test in parts:
            assert np.array_equal(np.sort(np.concatenate([train, test])), kept)
            assert not np.intersect1d(data.groups[test], data.groups[train]).size
            assert not np.intersect1d(data.groups[outer], data.groups[kept]).size


def test_a_class_too_small_for_the_inner_folds_is_found_before_training(
    spec: SweepSpec, trained: list[Cell], tmp_path: Path
) -> None:
    path = tmp_path / "small.csv"
    path.write_text("body,verdict\n" + "".join(f"good {i},{'ab'[i > 2]}\n" for i in range(30)))
    data = DataRef(name=str(path), text="body", label="verdict")
    with pytest.raises(InputError, match=r"without fold 0 of seed 2 needs at least 3 different"):
        sweep.run(spec.model_copy(update={"data": data}))
    assert not trained


def test_a_hold_out_protocol_cannot_be_nested() -> None:
    fields: dict[str, Any] = {"space": "smoke", "data": DataRef(name="x"), "model": "m"}
    with pytest.raises(InputError, match=r"nested wants folds.*holdout=0.2"):
        make_spec(**fields, name="n", folds=None, holdout=0.2, nested=True)


def test_inner_sweeps_have_cells_of_their_own(spec: SweepSpec) -> None:
    plan = prepare(spec)[0]
    keys = [set(one.keys) for one in (plan, *inner_plans(plan))]
    assert len(set.union(*keys)) == sum(map(len, keys)) == 4 * 18
