"""From a spec to cells: which configs compete, what their keys are, what the strategy is set."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.errors import InputError
from search.planning.plan import Plan
from search.planning.prepare import prepare
from search.planning.saved_plan import rebuild
from search.spec.make_spec import make_spec
from tests.search.planning.conftest import planned
from trainables.engine import registry
from trainables.engine.contract import DataRef, Split, Task
from trainables.engine.keys import canonical_json, cell_key

ROOT = Path(__file__).parents[3]


def test_the_whole_grid_competes_with_its_references_first(fields: dict[str, Any]) -> None:
    plan = planned(fields)
    # 4,900 points, of which paper-best is one, and the baseline, which is none of them.
    assert len(plan.configs) == 4901
    assert plan.names == {0: "cross-entropy", 1: "paper-best"}
    assert plan.baseline == 0
    assert len(plan.keys) == 4901 * 4
    assert plan.problem.floor == (0, 1)


def test_blocks_of_one_seed_hold_out_every_row_once(fields: dict[str, Any]) -> None:
    plan = planned(fields, seeds=(3, 5), folds=3, holdout=None)
    seeds = [seed for seed, _ in plan.blocks]
    first = seeds[0]
    assert plan.problem.rounds == tuple(int(seed != first) for seed in seeds)
    assert sorted(plan.problem.rounds) == [0, 0, 0, 1, 1, 1]
    assert planned(fields, folds=None, holdout=0.3).problem.rounds == ()


def test_what_is_inert_is_neither_in_the_key_nor_a_feature(fields: dict[str, Any]) -> None:
    plan = planned(fields, set_axes={"k": (10,), "beta": (0.5,)})
    assert plan.axes_of(0) == {"beta": 1.0}
    features = plan.problem.features[0]
    assert np.isnan(features).all(), "beta = 1 is off the axis, the others are inert"
    assert np.isfinite(plan.problem.features[1:]).all()
    other = planned(fields, set_axes={"k": (100,), "beta": (0.5,)})
    baseline = {key for key, (config, _) in plan.keys.items() if config == 0}
    assert baseline == {key for key, (config, _) in other.keys.items() if config == 0}


def test_a_wider_grid_shares_every_cell_of_a_narrower_one(fields: dict[str, Any]) -> None:
    narrow = planned(fields, set_axes={"k": (10,), "gamma": (0.1,), "beta": (0.5,)})
    wide = planned(fields, set_axes={"k": (10, 100), "gamma": (0.1,), "beta": (0.5, 0.9)})
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
    one = planned(fields, set_axes={**narrow, "epochs": ("2", "1"), "batch_size": ("8", "16")})
    two = planned(fields, set_axes={"batch_size": (16, 8), **narrow, "epochs": (1, 2)})
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
        planned(fields, set_axes={"learning_rate": ("1e-6..1e-3:log",)}, strategy=strategy)


@pytest.mark.parametrize("strategy", ["race", "random", "tpe"])
def test_a_range_is_searched_at_points_in_order(strategy: str, fields: dict[str, Any]) -> None:
    narrow = {"k": (10,), "gamma": (0.1,), "scale": (1,), "margin": (0.3,), "beta": (0.5,)}
    rates = {"learning_rate": ("1e-6..1e-3:log",)}
    plan = planned(fields, set_axes={**narrow, **rates}, strategy=strategy)
    assert len(plan.configs) == 35, "33 points, the paper's rate and the baseline"
    column = plan.problem.features[1:, -1]
    assert column.tolist() == list(range(34))
    found = [config["learning_rate"] for config in plan.configs[1:]]
    assert found == sorted(found, key=lambda rate: float(str(rate)))
    epochs = {"epochs": ("2..4",)}
    listed = planned(fields, set_axes={**narrow, **epochs})
    assert len(listed.configs) == 4, "a list for any strategy"


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
    assert not set(planned(narrowed).keys) & set(planned(narrowed, **change).keys)


def test_the_path_of_the_data_is_not_in_the_key(
    fields: dict[str, Any], tmp_path: Path, reviews: Path
) -> None:
    copy = tmp_path / "elsewhere.csv"
    copy.write_bytes(reviews.read_bytes())
    narrowed = {**fields, "set_axes": {"k": (10,), "gamma": (0.1,), "beta": (0.5,)}}
    moved = planned(narrowed, data=DataRef(name=str(copy), text="body", label="verdict"))
    assert moved.keys == planned(narrowed).keys


def test_keys_are_the_same_in_another_process(fields: dict[str, Any]) -> None:
    plan = planned(fields, set_axes={"k": (10,), "gamma": (0.1,), "beta": (0.5,)})
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


def test_a_cells_key_is_the_digest_of_its_canonical_json(fields: dict[str, Any]) -> None:
    plan = planned(fields, set_axes={"k": (10,), "gamma": (0.1,), "beta": (0.5,)})
    for key, (config, block) in list(plan.keys.items())[::7]:
        seed, fold = plan.blocks[block]
        keyed = plan.space.keyed(plan.space.active(plan.configs[config]))
        assert "inner_share" not in keyed
        value = {"family": plan.family, "config": keyed, "seed": seed, "fold": fold}
        assert key == hashlib.sha256(canonical_json(value).encode()).hexdigest()
        assert key == cell_key(plan.task, keyed, seed, fold)


def test_the_share_of_an_official_test_part_is_that_of_all_its_training_rows(
    fields: dict[str, Any], tmp_path: Path
) -> None:
    parts = ["train"] * 45 + ["test"] * 5
    lines = [f"{part} film {row},{row % 2},{part}" for row, part in enumerate(parts)]
    file = tmp_path / "parts.csv"
    file.write_text("\n".join(["body,verdict,split", *lines]) + "\n", encoding="utf-8")
    data = DataRef(name=str(file), text="body", label="verdict")
    plan = planned(fields, data=data, folds=None, holdout="official", train_rows=10)
    assert plan.test_share == pytest.approx(5 / 50)
    alone = replace(data, parts="train")
    with pytest.raises(InputError, match="needs the parts 'train' and 'test'"):
        planned(fields, data=alone, folds=None, holdout="official")
    assert len(prepare(make_spec(**{**fields, "data": alone}))[1]) == 45


def test_heads_are_refused_several_workers_and_fine_tuning_is_not(fields: dict[str, Any]) -> None:
    shared = {"workers_per_trial": 2, "stack": 1}
    together = {"resources": shared, "configs": "reference"}
    with pytest.raises(InputError, match=r"configs .* train heads on frozen .* 2 of them would do"):
        planned(fields, space="linear_grid", fix={}, **together)
    assert planned(fields, **together).spec.resources.workers_per_trial == 2
