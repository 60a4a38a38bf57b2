"""What is written of cells, configs, sweeps: names that fit, curves that end in the final value."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.errors import InputError
from search.ledger import payloads, records
from search.ledger.records import LoggedRun, SweepRecord
from trainables.engine.contract import Cell, CellResult

TAGS = dict.fromkeys(records.CELL_TAGS, "x")


def payload_of(**parts: Any) -> payloads.Payload:
    cell = Cell(key="a" * 64, config={"k": 10}, seed=2, fold=3)
    result = CellResult(key=cell.key, status="done", **parts)
    return payloads.of_cell(payloads.Trained(cell=cell, result=result, run_name="k=10", tags=TAGS))


def test_the_latest_point_of_a_metric_is_its_final_value() -> None:
    payload = payload_of(
        metrics={"accuracy": 0.9, "seconds": 4.0},
        epochs=({"accuracy": 0.5, "train_loss": 2.0}, {"accuracy": 0.8, "train_loss": 1.0}),
    )
    end = payload["ended_ms"]
    assert sorted(payloads.cell_points(payload)) == [
        ("accuracy", 0.5, end - 2000, 1),
        ("accuracy", 0.9, end, 2),
        ("seconds", 4.0, end, 2),
        ("train_loss", 1.0, end, 2),
        ("train_loss", 2.0, end - 2000, 1),
    ]


def test_losses_by_step_are_points_at_their_steps() -> None:
    curves = {"step_train_loss": ((1, 2.0), (3, 1.0))}
    payload = payload_of(metrics={"seconds": 3.0}, epochs=({"loss": 1.0},), curves=curves)
    end = payload["ended_ms"]
    steps = [point for point in payloads.cell_points(payload) if point[0] == "step_train_loss"]
    assert steps == [("step_train_loss", 2.0, end - 2000, 1), ("step_train_loss", 1.0, end, 3)]


def test_a_cell_without_epochs_or_seconds_is_written_too() -> None:
    payload = payload_of(metrics={"accuracy": 0.9})
    assert payloads.cell_points(payload) == [("accuracy", 0.9, payload["ended_ms"], 0)]
    assert payloads.cell_start_ms(payload) == payload["ended_ms"]
    assert payloads.cell_files(payload) == {}


def test_a_cell_survives_json_and_is_known_while_it_waits() -> None:
    loss = float("nan")
    rows, probabilities = np.array([3, 1]), np.array([[0.2, 0.8], [0.6, 0.4]], np.float32)
    payload = json.loads(
        json.dumps(payload_of(metrics={"loss": loss}, rows=rows, probabilities=probabilities))
    )
    cell = payloads.waiting_cell(payload)
    assert (cell.status, cell.seed, cell.fold, cell.run_id) == ("done", 2, 3, None)
    assert np.isnan(cell.metrics["loss"])
    with np.load(io.BytesIO(payloads.cell_files(payload)["predictions.npz"])) as arrays:
        assert arrays["rows"].tolist() == [3, 1]
        np.testing.assert_array_equal(arrays["probabilities"], probabilities)


@given(st.lists(st.text(min_size=1), unique=True, max_size=20))
def test_metric_names_fit_and_stay_different(names: list[str]) -> None:
    fitted = payloads.metric_names([f"f1_{name}" for name in names])
    assert len(set(fitted.values())) == len(names)
    assert all(re.fullmatch(r"[\w.\- ]{1,250}", name) for name in fitted.values())


PLAIN: dict[str, Any] = {"name": "c", "mean": None}


def test_a_mean_that_is_adjusted_takes_its_interval_along() -> None:
    settings = {"name": "beta=0.5", "mean": 0.7}
    payload = payloads.of_config("s", "c", {}, [0.5, 0.7, 0.6], 9.0, {}, (0.1, 0.9), **settings)
    assert payload["curve"] == pytest.approx([0.5, 0.6, 0.7])
    assert payload["metrics"]["ci_low"] == pytest.approx(0.2)
    assert payload["name"] == "beta=0.5"


def test_a_configs_curve_starts_after_what_is_known() -> None:
    scores = [0.5, 0.7, 0.6]
    payload = payloads.of_config("s", "c", {"k": 1}, scores, 9.0, {}, (0.1, 0.9), **PLAIN)
    means = [(p[3], round(p[1], 6)) for p in payloads.config_points(payload, 1) if p[0] == "mean"]
    assert means == [(2, 0.6), (3, 0.6)]
    rest = {p[0]: p[1] for p in payloads.config_points(payload, 1) if p[0] != "mean"}
    assert rest == pytest.approx(
        {"cells": 3, "seconds": 9, "std": np.std(scores, ddof=1), "ci_low": 0.1, "ci_high": 0.9}
    )


@pytest.mark.parametrize("known", [3, 4])
def test_the_last_mean_is_sent_even_if_its_step_is_known(known: int) -> None:
    payload = payloads.of_config("s", "c", {}, [0.5, 0.7, 0.9], 1.0, {}, None, **PLAIN)
    assert [p[3] for p in payloads.config_points(payload, known) if p[0] == "mean"] == [3]


def test_a_config_without_a_cell_has_no_mean() -> None:
    payload = payloads.of_config("s", "c", {}, [], 0.0, {}, None, **PLAIN)
    assert {p[0] for p in payloads.config_points(payload, 0)} == {"cells", "seconds"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(alphabet="abc é/:'", max_size=3000),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=20,
    )
)
def test_a_spec_comes_back_from_tags_that_fit(value: object) -> None:
    spec = {"spec": value}
    tags = records.spec_tags(spec)
    assert all(len(piece) <= 5000 for piece in tags.values())
    run = LoggedRun(
        run_id="r",
        name="n",
        status="RUNNING",
        started_ms=1500,
        ended_ms=0,
        tags={**tags, "space": "smoke", "mlflow.user": "x"},
        params={},
        metrics={},
    )
    record = SweepRecord.of(run)
    assert record.spec_json == spec
    assert (record.tags, record.started) == ({"space": "smoke"}, 1.5)


def test_a_spec_that_is_too_long_is_refused() -> None:
    with pytest.raises(InputError, match="may have 200000 characters, got 300"):
        records.spec_tags({"a": "x" * 300_000})


def test_a_specs_values_become_columns_of_the_ui() -> None:
    spec = {"spec": {"seeds": [2, 16], "budget": {"max_cells": None, "max_hours": 2.0}}}
    assert records.spec_params(spec) == {"spec.seeds": "2, 16", "spec.budget.max_hours": "2.0"}
