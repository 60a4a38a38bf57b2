"""A SweepSpec made in Python passes the checks of the command line."""

from __future__ import annotations

import math
from typing import Any

import pytest

from search.errors import InputError
from search.spec.arguments import recipe
from search.spec.make_spec import changed, make_spec, saved_spec
from search.spec.naming import default_name
from trainables.engine.contract import DataRef, Split

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


@pytest.mark.parametrize(
    ("data", "changes", "name", "parts", "train_rows"),
    [
        ("trec-1k", {}, "trec", "train", 1000),
        ("SST2_10k", {}, "sst2", "train", 10_000),
        ("mr-1k", {}, "mr", None, 1000),
        ("trec", {}, "trec", "train", None),
        ("trec", {"train_rows": 500}, "trec", "train", 500),
        ("trec-1k", {"train_rows": 1000}, "trec", "train", 1000),
        ("trec", {"folds": None, "holdout": "official"}, "trec", None, None),
        ("mine.csv", {"train_rows": 500}, "mine.csv", None, 500),
        ("owner/set-1k", {}, "owner/set-1k", None, None),
    ],
)
def test_a_name_says_which_rows_and_how_many(
    data: str, changes: dict[str, Any], name: str, parts: str | None, train_rows: int | None
) -> None:
    spec = make_spec(**{**FIELDS, "data": data, **changes})
    assert (spec.data.name, spec.data.parts, spec.train_rows) == (name, parts, train_rows)
    assert spec.split.train_rows == train_rows
    assert all(split.train_rows == train_rows for split in spec.splits)


def test_all_parts_are_taken_where_one_says_so() -> None:
    spec = make_spec(**{**FIELDS, "data": DataRef(name="trec", parts="all")})
    assert (spec.data.parts, spec.split) == ("all", Split(folds=5))


def test_a_name_and_an_option_that_differ_are_refused() -> None:
    with pytest.raises(InputError, match="trains each cell on 1,000 rows: leave train_rows out"):
        make_spec(**{**FIELDS, "data": "trec-1k", "train_rows": 500})


@pytest.mark.parametrize("name", ["trec-1k", "trec"])
def test_a_saved_name_means_what_it_meant(name: str) -> None:
    saved = make_spec(**FIELDS).model_dump(mode="json")
    saved["data"] = {"name": name}
    read = saved_spec(saved)
    assert (read.data, read.train_rows) == (DataRef(name=name), None)
    written = read.model_dump(mode="json")
    assert "train_rows" not in written
    assert "parts" not in written["data"]
    words = recipe(read)
    assert "--data trec --parts all" in words
    assert ("--subset 1000" in words) == (name == "trec-1k"), words


def test_none_is_no_earlier_sweep() -> None:
    assert make_spec(**FIELDS).prior is None
    assert make_spec(**FIELDS, prior="none").prior == ()
    assert make_spec(**FIELDS, prior="mr, sst5").prior == ("mr", "sst5")
    with pytest.raises(InputError, match="give it alone, or names of sweeps"):
        make_spec(**FIELDS, prior="none,mr")


def test_every_fault_of_a_spec_is_in_one_message() -> None:
    with pytest.raises(InputError) as caught:
        make_spec(**{**FIELDS, "name": "a/b", "strategy": "guess", "budget": {"max_cells": 0}})
    assert all(word in str(caught.value) for word in ("name", "strategy", "budget.max_cells"))


def test_a_spec_has_the_ledger_of_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {name: value for name, value in FIELDS.items() if name != "tracking_uri"}
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ledger:5000")
    assert make_spec(**fields).tracking_uri == "http://ledger:5000"
    assert make_spec(**fields, tracking_uri="sqlite:///here.db").tracking_uri == "sqlite:///here.db"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert make_spec(**fields).tracking_uri == "sqlite:///mlflow.db"
