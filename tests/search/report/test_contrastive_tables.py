"""The paper's tables beside sweeps: which row, which config, what the paired test says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from search import stats
from search.plan import Plan, rebuild
from search.records import LoggedCell
from search.report import contrastive_tables as tables
from search.spec import make_spec
from trainables.engine import registry
from trainables.engine.contract import DataRef, Split, Task

PAPERS = Path(__file__).parents[4] / "shared/papers/tables.json"


def plan_on(name: str, subset: int | None = None) -> Plan:
    data = DataRef(name=name, subset=subset)
    spec = make_spec(
        space="contrastive",
        data=data,
        model="minilm",
        name="mine",
        seeds=(2, 16),
        folds=2,
        set_axes={
            "ce_weight": (0.5, 0.3),
            "temperature": (0.3,),
            "learning_rate": (2e-5,),
            "batch_size": (10,),
            "epochs": (5,),
        },
    )
    task = Task(
        trainable="contrastive",
        version=1,
        data=data,
        data_fingerprint="d",
        model="minilm",
        model_fingerprint="w",
        split=Split(folds=2),
    )
    return rebuild(spec, task)


def finished(name: str, subset: int | None = None) -> tables.Finished:
    """Cross-entropy, then SCL and LCL at two weights, the second one better."""
    plan = plan_on(name, subset)
    assert [config["loss"] for config in plan.configs] == ["none", "scl", "lcl", "scl", "lcl"]
    noise = np.array([0.0, 0.02, 0.01, 0.03])
    scores = np.stack([level + noise for level in (0.70, 0.69, 0.71, 0.72, 0.74)])
    scores[3] += [0.01, -0.01, 0.005, -0.005]
    cells = {
        key: LoggedCell(
            key=key, status="done", metrics={"entropy": 0.1 * pair[0]}, config_id="c",
            sweep_id="s", seed=2, fold=0, params={}, error=None, run_id=None,
        )
        for key, pair in plan.keys.items()
    }  # fmt: skip
    return tables.Finished(plan, scores, cells)


def test_a_row_is_the_best_config_of_each_loss_and_its_paired_gain() -> None:
    (row,) = tables.rows([finished("isear", 1000)], tables.BY_TASK)
    assert row.data == "isear, 1,000 rows"
    assert row.paper == (0.714, 0.705, 0.724)
    assert row.means == pytest.approx({"none": 0.715, "scl": 0.735, "lcl": 0.755})
    assert row.entropies == pytest.approx({"none": 0.0, "scl": 0.3, "lcl": 0.4})
    differences = np.array([0.03, 0.01, 0.025, 0.015])
    want = stats.corrected_interval(differences, 0.5)
    gain = row.gains["scl"]
    assert (gain.mean, gain.low, gain.high) == pytest.approx((0.02, want.low, want.high))
    assert gain.chances == stats.correlated_t_test(differences, 0.5, 0.005)
    assert tables.verdict(row.gains["lcl"]) == "better 1.00"


def test_an_incomplete_config_stands_in_no_table() -> None:
    sweep = finished("emoint-1k")
    sweep.scores[4, 1] = np.nan
    (row,) = tables.rows([sweep], tables.BY_TASK)
    assert row.data == "emoint-1k"
    assert row.means["lcl"] == pytest.approx(0.725)
    sweep.scores[[2, 3, 1], 0] = np.nan
    (row,) = tables.rows([sweep], tables.BY_TASK)
    assert set(row.means) == {"none"}
    assert row.gains == {}
    assert "| - (85.7) | - (86.6) | - | - |" in tables.markdown([row])


def test_the_tables_go_by_data_set_in_the_papers_order() -> None:
    sweeps = [finished(f"empathetic_dialogues{rest}") for rest in ("_4", "", "_hard_a", "_16")]
    by_classes = tables.rows(sweeps, tables.BY_CLASSES)
    assert [row.data.removeprefix("empathetic-dialogues") for row in by_classes] == [
        "",
        "-16",
        "-4",
    ]
    hard = tables.rows(sweeps, tables.HARD_SETS)
    assert [row.data for row in hard] == ["empathetic-dialogues-hard-a"]
    text = tables.markdown(by_classes)
    assert (
        "| empathetic-dialogues | minilm | 4 | 71.50 (58.1) | 73.50 (58.6) | 75.50 (60.1) |" in text
    )
    assert "0.00 / 0.30 / 0.40" in text


def test_every_data_set_of_the_tables_has_a_name_here() -> None:
    known = set(registry.names("trainables.data"))
    for table in (tables.BY_TASK, tables.BY_CLASSES, tables.HARD_SETS):
        assert {name.replace("-", "_") for name in table} <= known


@pytest.mark.skipif(not PAPERS.is_file(), reason="the papers' numbers lie outside the repository")
def test_the_numbers_are_the_papers() -> None:
    paper = json.loads(PAPERS.read_text())["label_aware_contrastive"]

    def points(value: dict[str, float]) -> list[float]:
        return [value[loss] for loss in ("ce", "scl", "lcl")]

    for name, want in paper["tasks"].items():
        assert [100 * one for one in tables.BY_TASK[name]] == pytest.approx(points(want))
    for classes, want in paper["empathetic_dialogues_by_classes"].items():
        name = "empathetic-dialogues" + ("" if classes == "32" else f"-{classes}")
        assert [100 * one for one in tables.BY_CLASSES[name]] == pytest.approx(points(want))
    for labels, want in paper["empathetic_dialogues_hard_sets"].items():
        names = [
            name
            for name in tables.HARD_SETS
            if set(registry.load("trainables.data", name, "DATASET").classes)
            == set(labels.split(","))
        ]
        assert len(names) == 1
        assert [100 * one for one in tables.HARD_SETS[names[0]]] == pytest.approx(points(want))
