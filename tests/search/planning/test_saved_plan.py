"""Plans as the ledger keeps them, and what those of older versions mean."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from search.cli import build_parser
from search.errors import InputError, LedgerError
from search.ledger.records import SweepRecord
from search.planning.cost.estimate import rows_of_a_cell
from search.planning.plan import Plan
from search.planning.prepare import prepare
from search.planning.saved_plan import _as_it_was, of_record, rebuild, to_json
from search.spec.arguments import recipe, sweep_spec
from search.spec.make_spec import make_spec, saved_spec
from search.spec.sweep_spec import SweepSpec
from tests import factories
from tests.search.planning.conftest import planned
from trainables.engine import registry
from trainables.engine.contract import DataRef, Task
from trainables.engine.datasets.load import load_data


def record_of(plan: Plan, **changes: Any) -> SweepRecord:
    """The plan's sweep, as the ledger gives it back."""
    saved = {**json.loads(json.dumps(to_json(plan))), **changes}
    fields: dict[str, Any] = {"status": "FINISHED", "started": 0.0, "tags": {}, "metrics": {}}
    return SweepRecord(id="r", name="mine", spec_json=saved, **fields)


@pytest.mark.parametrize("name", ["spec", "task"])
@pytest.mark.parametrize("value", [None, "a text", {}, {"space": 5}])
def test_a_damaged_record_is_named(name: str, value: object) -> None:
    plan = factories.plan()
    with pytest.raises(LedgerError, match=r"damaged|cannot be read"):
        of_record(record_of(plan, **{name: value}))


def test_a_sweep_keeps_the_values_that_its_space_had(
    fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(fields)
    record = record_of(plan)
    declared = registry.load("spaces", "softtriple", "SPACE")
    changed = replace(declared, fixed={**declared.fixed, "batch_size": 7, "schedule": "constant"})
    monkeypatch.setattr(registry, "load", lambda *_: changed)
    again = of_record(record)
    assert again.spec.fix["batch_size"] == declared.fixed["batch_size"]
    assert again.keys == plan.keys


@pytest.mark.parametrize(
    ("space", "then"),
    [
        ("softtriple", {"pooling": "cls"}),
        ("contrastive", {"pooling": "cls", "spans": "shared"}),
        ("mirror", {"schedule": "linear", "spans": "shared"}),
    ],
)
def test_a_sweep_from_before_values_were_kept_means_what_it_meant(
    space: str, then: dict[str, Any], fields: dict[str, Any]
) -> None:
    spec = make_spec(**{**fields, "space": space})
    found = _as_it_was(spec, None)
    assert found.fix == {"max_length": 16, **then}
    own = make_spec(**{**fields, "space": space, "fix": dict.fromkeys(then, "mine")})
    assert _as_it_was(own, None).fix == dict.fromkeys(then, "mine")


def test_a_plan_is_rebuilt_from_the_ledger_without_data_or_model(fields: dict[str, Any]) -> None:
    plan = planned(fields, set_axes={"k": (10,), "gamma": (0.1,), "beta": (0.5,)})
    spec = SweepSpec.model_validate(json.loads(plan.spec.model_dump_json()))
    task = Task.from_json(json.loads(json.dumps(plan.task.to_json())))
    again = rebuild(spec, task)
    assert (again.keys, again.configs, again.names) == (plan.keys, plan.configs, plan.names)


def test_the_share_of_an_official_test_part_is_the_datas_own_and_is_kept(
    fields: dict[str, Any], tmp_path: Path
) -> None:
    # Rows of the validation part are in neither.
    rows = [("train", row) for row in range(45)]
    rows += [("test", row) for row in range(5)] + [("valid", row) for row in range(5)]
    lines = [f"{part} film {row},{'good' if row % 2 else 'bad'},{part}" for part, row in rows]
    file = tmp_path / "parts.csv"
    file.write_text("\n".join(["body,verdict,split", *lines]) + "\n", encoding="utf-8")
    data = DataRef(name=str(file), text="body", label="verdict")
    plan = planned(fields, data=data, folds=None, holdout="official")
    assert plan.test_share == pytest.approx(5 / 50)
    assert of_record(record_of(plan)).test_share == plan.test_share
    assert rebuild(plan.spec, plan.task).test_share == 0.2  # of a sweep that kept none
    assert planned(fields, folds=4).test_share == 0.25
    assert planned(fields, folds=None, holdout=0.1).test_share == 0.1


def test_drawn_training_rows_are_part_of_the_key_and_not_of_the_correction(
    fields: dict[str, Any],
) -> None:
    plan, drawn = planned(fields, folds=5), planned(fields, folds=5, train_rows=40)
    assert not plan.keys.keys() & drawn.keys.keys()
    assert plan.task.data_fingerprint == drawn.task.data_fingerprint
    assert plan.test_share == drawn.test_share == 0.2
    again = of_record(record_of(drawn))
    assert again.keys.keys() == drawn.keys.keys()
    with pytest.raises(InputError, match=r"97 training rows .* more than the 96 that a cell"):
        planned(fields, folds=5, train_rows=97)


@pytest.fixture
def trec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set of that name: 1,500 training rows and 500 to test on, 6 classes."""
    numbers = range(2000)
    names = ("ABBR", "ENTY", "DESC", "HUM", "LOC", "NUM")
    table = {
        "text": [f"the story of plot {number}" for number in numbers],
        "label": [number % 6 for number in numbers],
        "label_name": [names[number % 6] for number in numbers],
        "split": ["train" if number < 1500 else "test" for number in numbers],
    }
    pq.write_table(pa.table(table), tmp_path / "trec.parquet")
    monkeypatch.setenv("FOLDRACE_DATA", str(tmp_path))


@pytest.mark.usefixtures("trec")
def test_a_name_with_a_size_trains_each_cell_on_so_many_rows(fields: dict[str, Any]) -> None:
    plan, data, audit = prepare(make_spec(**{**fields, "data": "trec-1k", "folds": 5}))
    assert (plan.spec.data.name, plan.spec.train_rows, len(data)) == ("trec", 1000, 1500)
    assert rows_of_a_cell(plan, data) == (1000, 300)
    assert any("official parts: train 1,500 alone" in line for line in audit.lines())


@pytest.mark.usefixtures("trec")
def test_a_saved_sweep_of_such_a_name_drew_its_rows_before_the_folds(
    fields: dict[str, Any],
) -> None:
    saved = make_spec(**{**fields, "data": "mr", "folds": 5}).model_dump(mode="json")
    for name, rows, trained in (("trec-1k", 1000, 800), ("trec", 2000, 1600)):
        saved["data"] = {"name": name}
        plan, data, _ = prepare(saved_spec(saved), saved=True)
        assert (plan.spec.data.name, len(data)) == (name, rows)
        assert rows_of_a_cell(plan, data) == (trained, rows - trained)
        # The command that makes it again names the same rows in today's words.
        again = sweep_spec(build_parser().parse_args(shlex.split(recipe(plan.spec))[1:]))
        assert load_data(again.data).fingerprint == data.fingerprint
        assert again.split == plan.spec.split
