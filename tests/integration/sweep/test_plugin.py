"""A user's own file with one of each kind: found, bound, trained, and saved."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from search import SweepSpec
from search.planning.prepare import prepare
from trainables.engine import registry
from trainables.engine.cells import runner
from trainables.engine.refit import network, saved_model

pytestmark = pytest.mark.integration
PLUGIN = Path(__file__).with_name("my_study.py")


@pytest.fixture
def spec(
    tmp_path: Path, tiny_encoder: Path, reviews: Path, monkeypatch: pytest.MonkeyPatch
) -> SweepSpec:
    with reviews.open(newline="") as file:
        rows = [{"text": r["body"], "label": r["verdict"]} for r in csv.DictReader(file)]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "my_study.parquet")
    monkeypatch.setenv("FOLDRACE_DATA", str(tmp_path))
    return SweepSpec(
        space="my_study",
        data="my_study",
        model=str(tiny_encoder),
        plugin=str(PLUGIN),
        folds=3,
        fix={"epochs": 6},
    )


def test_one_file_brings_one_of_each_kind() -> None:
    packages = registry.register_plugin(PLUGIN)
    assert set(packages) == {"spaces", "trainables.data", "trainables"}
    for package in packages:
        assert "my_study" in registry.names(package)


def test_the_study_trains_and_its_winner_can_be_saved(spec: SweepSpec, tmp_path: Path) -> None:
    plan, data, _ = prepare(spec)
    assert spec.name == f"my_study-my_study-{Path(spec.model).name}"
    assert data.label_names == ("blame", "praise")
    assert len(plan.configs) == 6
    best = max(range(6), key=lambda i: float(str(plan.configs[i]["learning_rate"])))
    results: list[Any] = []
    runner.train_cells(plan.task, [plan.cell((best, 0))], results.append, stack=1, threads=1)
    (result,) = results
    assert result.status == "done", result.error
    assert result.metrics["accuracy"] > 0.8
    saved = network.train(plan.task, data, plan.configs[best], 2)
    assert saved_model.is_stock(saved)
    said = saved.probabilities(data.texts).argmax(axis=1)
    assert float(np.mean(said == data.labels)) > 0.8
