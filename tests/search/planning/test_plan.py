"""From a spec to cells: which configs compete, what their keys are, what the strategy is set."""

from __future__ import annotations

import hashlib
import json
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
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
from search.spec.naming import default_name
from search.spec.sweep_spec import SweepSpec
from tests import factories
from trainables.engine import registry
from trainables.engine.contract import DataRef, Split, Task
from trainables.engine.datasets.load import load_data
from trainables.engine.keys import canonical_json, cell_key

ROOT = Path(__file__).parents[3]


@pytest.fixture
def fields(reviews: Path, tiny_encoder: Path) -> dict[str, Any]:
    return {
        "space": "softtriple",
        "data": DataRef(name=str(reviews), text="body", label="verdict"),
        "model": str(tiny_encoder),
        "name": "mine",
        "seeds": (2, 16),
        "folds": 2,
        "fix": {"max_length": 16},
    }


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
    plan = _plan(fields)
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


def _plan(fields: dict[str, Any], **changes: Any) -> Plan:
    return prepare(make_spec(**{**fields, **changes}))[0]


def test_the_whole_grid_competes_with_its_references_first(fields: dict[str, Any]) -> None:
    plan = _plan(fields)
    # 4,900 points, of which paper-best is one, and the baseline, which is none of them.
    assert len(plan.configs) == 4901
    assert plan.names == {0: "cross-entropy", 1: "paper-best"}
    assert plan.baseline == 0
    assert len(plan.keys) == 4901 * 4
    assert plan.problem.floor == (0, 1)


def test_blocks_of_one_seed_hold_out_every_row_once(fields: dict[str, Any]) -> None:
    plan = _plan(fields, seeds=(3, 5), folds=3, holdout=None)
    seeds = [seed for seed, _ in plan.blocks]
    first = seeds[0]
    assert plan.problem.rounds == tuple(int(seed != first) for seed in seeds)
    assert sorted(plan.problem.rounds) == [0, 0, 0, 1, 1, 1]
    assert _plan(fields, folds=None, holdout=0.3).problem.rounds == ()


def test_what_is_inert_is_neither_in_the_key_nor_a_feature(fields: dict[str, Any]) -> None:
    plan = _plan(fields, set_axes={"k": (10,), "beta": (0.5,)})
    assert plan.axes_of(0) == {"beta": 1.0}
    features = plan.problem.features[0]
    assert np.isnan(features).all(), "beta = 1 is off the axis, the others are inert"
    assert np.isfinite(plan.problem.features[1:]).all()
    other = _plan(fields, set_axes={"k": (100,), "beta": (0.5,)})
    baseline = {key for key, (config, _) in plan.keys.items() if config == 0}
    assert baseline == {key for key, (config, _) in other.keys.items() if config == 0}


def test_a_wider_grid_shares_every_cell_of_a_narrower_one(fields: dict[str, Any]) -> None:
    narrow = _plan(fields, set_axes={"k": (10,), "gamma": (0.1,), "beta": (0.5,)})
    wide = _plan(fields, set_axes={"k": (10, 100), "gamma": (0.1,), "beta": (0.5, 0.9)})
    assert narrow.family == wide.family
    assert set(narrow.keys) < set(wide.keys)
    assert narrow.left_out == ("paper-best",)


@pytest.mark.parametrize("space", registry.names("spaces"))
def test_a_fixed_value_that_is_searched_doubles_the_plan_of_every_space(space: str) -> None:
    declared = registry.load("spaces", space, "SPACE")
    name, value = next((n, v) for n, v in declared.fixed.items() if type(v) is int)
    task = Task(
        trainable=declared.trainable,
        version=1,
        data=DataRef(name="x"),
        data_fingerprint="d",
        model="m",
        model_fingerprint="f",
        split=Split(folds=2, holdout=None),
    )

    def rebuilt(**changes: Any) -> Plan:
        data = DataRef(name="x")
        spec = make_spec(space=space, data=data, model="m", seeds=(2,), folds=2, **changes)
        return rebuild(spec, task)

    plain, wide = rebuilt(), rebuilt(set_axes={name: (str(value + 1), str(value))})
    assert set(plain.keys) < set(wide.keys), "the paper's value makes the cells that it made"
    other = rebuilt(fix={name: value + 1})
    grid = [key for key, (config, _) in other.keys.items() if config not in other.names]
    assert set(grid) < set(wide.keys), "another value makes the cells that --fix makes"
    assert plain.space.axes == wide.space.axes[:-1]
    assert len(wide.space) == 2 * len(plain.space)
    assert wide.off_grid == {name: str(value + 1)}
    assert wide.problem.features.shape == (len(wide.configs), len(plain.space.axes) + 1)
    baseline = (plain.baseline, wide.baseline)
    assert plain.names == wide.names
    assert baseline[0] == baseline[1]


def test_the_order_of_configs_is_not_that_of_typing(fields: dict[str, Any]) -> None:
    """A ledger keeps a spec's fields in another order, and configs go by number."""
    narrow = {"k": ("10",), "gamma": ("0.1",), "scale": ("1",), "margin": ("0.3",)}
    one = _plan(fields, set_axes={**narrow, "epochs": ("2", "1"), "batch_size": ("8", "16")})
    two = _plan(fields, set_axes={"batch_size": (16, 8), **narrow, "epochs": (1, 2)})
    assert (one.configs, one.keys, one.off_grid) == (two.configs, two.keys, two.off_grid)
    assert [one.label(i) for i in (0, 2)] == [
        "beta=1 batch_size=64 epochs=5 (cross-entropy)",
        "beta=0.1 batch_size=8 epochs=2",
    ]
    assert (one.axes_of(0)["batch_size"], one.axes_of(0)["epochs"]) == (64, 5)


@pytest.mark.parametrize("strategy", ["grid", "halving", "wilcoxon"])
def test_a_range_is_refused_where_it_cannot_be_enumerated(
    strategy: str, fields: dict[str, Any]
) -> None:
    with pytest.raises(
        InputError, match=rf"learning_rate .* {strategy!r} .* race or random or tpe"
    ):
        _plan(fields, set_axes={"learning_rate": ("1e-6..1e-3:log",)}, strategy=strategy)


@pytest.mark.parametrize("strategy", ["race", "random", "tpe"])
def test_a_range_is_searched_at_points_in_order(strategy: str, fields: dict[str, Any]) -> None:
    narrow = {"k": (10,), "gamma": (0.1,), "scale": (1,), "margin": (0.3,), "beta": (0.5,)}
    rates = {"learning_rate": ("1e-6..1e-3:log",)}
    plan = _plan(fields, set_axes={**narrow, **rates}, strategy=strategy)
    assert len(plan.configs) == 35, "33 points, the paper's rate and the baseline"
    column = plan.problem.features[1:, -1]
    assert column.tolist() == list(range(34))
    found = [config["learning_rate"] for config in plan.configs[1:]]
    assert found == sorted(found, key=lambda rate: float(str(rate)))
    epochs = {"epochs": ("2..4",)}
    assert len(_plan(fields, set_axes={**narrow, **epochs}).configs) == 4, "a list for any strategy"


@pytest.mark.parametrize(
    "change",
    [
        {"fix": {"max_length": 16, "learning_rate": 3e-4}},
        {"folds": 3},
        {"data": "subset"},
    ],
    ids=["a fixed value", "the folds", "the data"],
)
def test_what_changes_the_result_changes_every_key(
    fields: dict[str, Any], change: dict[str, Any]
) -> None:
    narrowed = {**fields, "set_axes": {"k": (10,), "gamma": (0.1,), "beta": (0.5,)}}
    if change.get("data") == "subset":
        change = {"data": DataRef(**{**vars(fields["data"]), "subset": 60})}
    assert not set(_plan(narrowed).keys) & set(_plan(narrowed, **change).keys)


def test_the_path_of_the_data_is_not_in_the_key(
    fields: dict[str, Any], tmp_path: Path, reviews: Path
) -> None:
    copy = tmp_path / "elsewhere.csv"
    copy.write_bytes(reviews.read_bytes())
    narrowed = {**fields, "set_axes": {"k": (10,), "gamma": (0.1,), "beta": (0.5,)}}
    moved = _plan(narrowed, data=DataRef(name=str(copy), text="body", label="verdict"))
    assert moved.keys == _plan(narrowed).keys


def test_keys_are_the_same_in_another_process(fields: dict[str, Any]) -> None:
    plan = _plan(fields, set_axes={"k": (10,), "gamma": (0.1,), "beta": (0.5,)})
    code = (
        "import json,sys\nfrom search.planning.prepare import prepare\n"
        "from search.spec.sweep_spec import SweepSpec\n"
        "plan = prepare(SweepSpec.model_validate_json(sys.argv[1]))[0]\n"
        "print(json.dumps(sorted(plan.keys)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, plan.spec.model_dump_json()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == sorted(plan.keys)


def test_a_plan_is_rebuilt_from_the_ledger_without_data_or_model(fields: dict[str, Any]) -> None:
    plan = _plan(fields, set_axes={"k": (10,), "gamma": (0.1,), "beta": (0.5,)})
    spec = SweepSpec.model_validate(json.loads(plan.spec.model_dump_json()))
    task = Task.from_json(json.loads(json.dumps(plan.task.to_json())))
    again = rebuild(spec, task)
    assert (again.keys, again.configs, again.names) == (plan.keys, plan.configs, plan.names)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("mine.json", '[{"k": 10, "gamma": 0.1, "lambda": 3.3, "delta": 0.3, "beta": 0.9}]'),
        ("mine.jsonl", '{"k": 10, "gamma": 0.1, "scale": 3.3, "margin": 0.3, "beta": 0.9}\n'),
        ("mine.csv", "k,gamma,lambda,delta,beta\n10,0.1,3.3,0.3,0.9\n"),
    ],
)
def test_configs_come_from_a_file_and_race_the_baseline(
    name: str, content: str, fields: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(content)
    plan = _plan(fields, configs=str(path))
    assert [plan.axes_of(i) for i in range(len(plan.configs))] == [
        {"beta": 1.0},
        {"k": 10, "gamma": 0.1, "scale": 3.3, "margin": 0.3, "beta": 0.9},
    ]


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ("[]", "non-empty"),
        ("{", "not JSON"),
        ("[" * 100_000, "too deep"),
        ('[{"k": ' + "9" * 5000 + "}]", "too many digits"),
        ("[1]", "data row 1 is not a JSON object"),
        ('[{"k": 10}]', "gamma"),
        ('[{"k": 11, "gamma": 0.1, "scale": 3.3, "margin": 0.3, "beta": 0.9}]', "11"),
    ],
)
def test_a_faulty_file_of_configs_is_refused(
    content: str, wanted: str, fields: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "mine.json"
    path.write_text(content)
    with pytest.raises(InputError, match=wanted):
        _plan(fields, configs=str(path))


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"k,beta\n10,0.5,1\n", "the header has 2 columns, but 1 of 1 rows"),
        (b"k,beta\n10\n", "the header has 2 columns, but 1 of 1 rows"),
        (b"\xf0\x28\x8c", r"mine\.csv is not UTF-8: byte 0xf0 in line 1"),
        (b"\x1f\x8b\x08\x00", r"mine\.csv is a gzip archive"),
        (b"k,beta\n", "no rows"),
    ],
)
def test_a_table_of_configs_passes_the_gate_of_all_tables(
    content: bytes, wanted: str, fields: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=wanted):
        _plan(fields, configs=str(path))


def test_every_fault_of_a_spec_is_in_one_message(fields: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        make_spec(**{**fields, "name": "a/b", "strategy": "guess", "budget": {"max_cells": 0}})
    assert all(word in str(caught.value) for word in ("name", "strategy", "budget.max_cells"))


def test_a_sweep_without_a_name_is_called_after_what_it_searches() -> None:
    data = DataRef(name="/far/away/tweets.csv", subset=500)
    assert default_name("softtriple", data, "roberta-base") == "softtriple-tweets-500-roberta-base"
    assert default_name("smoke", DataRef(name="org/set"), "a/b") == "smoke-set-b"


def test_a_spec_has_the_ledger_of_the_shell(
    fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ledger:5000")
    assert make_spec(**fields).tracking_uri == "http://ledger:5000"
    assert make_spec(**fields, tracking_uri="sqlite:///here.db").tracking_uri == "sqlite:///here.db"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert make_spec(**fields).tracking_uri == "sqlite:///mlflow.db"


def test_a_cells_key_is_the_digest_of_its_canonical_json(fields: dict[str, Any]) -> None:
    plan = _plan(fields, set_axes={"k": (10,), "gamma": (0.1,), "beta": (0.5,)})
    for key, (config, block) in list(plan.keys.items())[::7]:
        seed, fold = plan.blocks[block]
        keyed = plan.space.keyed(plan.space.active(plan.configs[config]))
        assert "inner_share" not in keyed
        value = {"family": plan.family, "config": keyed, "seed": seed, "fold": fold}
        assert key == hashlib.sha256(canonical_json(value).encode()).hexdigest()
        assert key == cell_key(plan.task, keyed, seed, fold)


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
    plan = _plan(fields, data=data, folds=None, holdout="official")
    assert plan.test_share == pytest.approx(5 / 50)
    assert of_record(record_of(plan)).test_share == plan.test_share
    assert rebuild(plan.spec, plan.task).test_share == 0.2  # of a sweep that kept none
    assert _plan(fields, folds=4).test_share == 0.25
    assert _plan(fields, folds=None, holdout=0.1).test_share == 0.1


@pytest.mark.parametrize(
    ("data", "name"),
    [("a/tweets.csv.gz", "tweets"), ("hub/", "hub"), ("a/hub", "hub"), ("org/set", "set")],
)
def test_a_default_name_is_that_of_the_file_or_folder(data: str, name: str) -> None:
    assert default_name("smoke", DataRef(name=data), "m") == f"smoke-{name}-m"


def test_drawn_training_rows_are_part_of_the_key_and_not_of_the_correction(
    fields: dict[str, Any],
) -> None:
    plan, drawn = _plan(fields, folds=5), _plan(fields, folds=5, train_rows=40)
    assert not plan.keys.keys() & drawn.keys.keys()
    assert plan.task.data_fingerprint == drawn.task.data_fingerprint
    assert plan.test_share == drawn.test_share == 0.2
    again = of_record(record_of(drawn))
    assert again.keys.keys() == drawn.keys.keys()
    with pytest.raises(InputError, match=r"97 training rows .* more than the 96 that a cell"):
        _plan(fields, folds=5, train_rows=97)


def test_the_share_of_an_official_test_part_is_that_of_all_its_training_rows(
    fields: dict[str, Any], tmp_path: Path
) -> None:
    parts = ["train"] * 45 + ["test"] * 5
    lines = [f"{part} film {row},{row % 2},{part}" for row, part in enumerate(parts)]
    file = tmp_path / "parts.csv"
    file.write_text("\n".join(["body,verdict,split", *lines]) + "\n", encoding="utf-8")
    data = DataRef(name=str(file), text="body", label="verdict")
    plan = _plan(fields, data=data, folds=None, holdout="official", train_rows=10)
    assert plan.test_share == pytest.approx(5 / 50)
    alone = replace(data, parts="train")
    with pytest.raises(InputError, match="needs the parts 'train' and 'test'"):
        _plan(fields, data=alone, folds=None, holdout="official")
    assert len(prepare(make_spec(**{**fields, "data": alone}))[1]) == 45


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


def test_heads_are_refused_several_workers_and_fine_tuning_is_not(fields: dict[str, Any]) -> None:
    shared = {"workers_per_trial": 2, "stack": 1}
    together = {"resources": shared, "configs": "reference"}
    with pytest.raises(InputError, match=r"configs .* train heads on frozen .* 2 of them would do"):
        _plan(fields, space="linear_grid", fix={}, **together)
    assert _plan(fields, **together).spec.resources.workers_per_trial == 2
