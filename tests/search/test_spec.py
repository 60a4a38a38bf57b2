"""A SweepSpec made in Python passes the checks of the command line."""

from __future__ import annotations

import math
from typing import Any

import pytest

from search.errors import InputError
from search.spec import changed, default_name, make_spec, saved_spec
from trainables.engine.contract import DataRef

FIELDS: dict[str, Any] = {
    "space": "smoke",
    "data": "trec",
    "model": "minilm",
    "name": "mine",
    "tracking_uri": "sqlite:///mlflow.db",
}


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"name": "latest"}, "name: must not be 'latest'"),
        ({"name": "a\x1bb"}, r"name: must be 1 to 100 printable characters"),
        ({"name": ""}, "name: must be 1 to 100"),
        ({"experiment": ".."}, "experiment: must not be '..'"),
        ({"space": ""}, "space: must not be blank"),
        ({"model": " "}, "model: must not be blank"),
        ({"configs": ""}, "configs: must not be blank"),
        ({"plugin": ""}, "plugin: must not be blank"),
        ({"strategy_seed": -1}, "strategy_seed: must be at least 0, got -1"),
        ({"tracking_uri": "http://u:secret@[::1"}, "'http://***@[::1' is malformed"),
        ({"tracking_uri": ""}, "has no scheme"),
        ({"budget": {"max_hours": math.nan}}, "budget.max_hours: must be a number above 0"),
        ({"budget": {"max_hours": math.inf}}, "budget.max_hours: must be at most 100,000"),
        ({"budget": {"max_cells": 0}}, "budget.max_cells: must be at least 1, got 0"),
        ({"budget": {"stop_margin": 5}}, "budget.stop_margin: must be at most 1, got 5"),
        ({"resources": {"trials": 10**6}}, "resources.trials: must be at most 10,000"),
        ({"resources": {"ray_address": "?"}}, "resources.ray_address: must be local, auto"),
        ({"resources": {"cell_retries": -1}}, "resources.cell_retries: must be at least 0"),
        ({"seeds": (-1,)}, "seeds must be whole numbers from 0"),
    ],
)
def test_it_is_refused_by_its_field(fields: dict[str, Any], answer: str) -> None:
    with pytest.raises(InputError) as refused:
        make_spec(**{**FIELDS, **fields})
    assert answer in str(refused.value)
    assert "secret" not in str(refused.value)


def test_what_the_ledger_has_is_read_whatever_rules_came_since() -> None:
    spec = make_spec(**FIELDS)
    old = {**spec.model_dump(mode="json"), "name": "latest", "budget": {"stop_margin": 5.0}}
    read = saved_spec(old)
    assert (read.name, read.budget.stop_margin) == ("latest", 5.0)
    resumed = changed(read, nested=True)
    assert (resumed.name, resumed.nested) == ("latest", True)
    with pytest.raises(InputError, match="nested wants folds"):
        changed(read, nested=True, folds=None, holdout=0.2)


@pytest.mark.parametrize(
    "data", ["trec-1k", "my file.csv", f"{'x' * 300}.csv", "owner/name:part", "a\x1b[31m.csv"]
)
def test_the_name_that_nobody_typed_is_one(data: str) -> None:
    name = default_name("smoke", DataRef(name=data), "minilm")
    assert make_spec(**{**FIELDS, "name": None, "data": data}).name == name
    assert name.startswith("smoke-")
