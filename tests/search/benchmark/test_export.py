"""A sweep written as a table is the table that strategies are replayed on."""

from __future__ import annotations

import math
import shlex
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from search.benchmark.export import write_table
from search.benchmark.score_table import read_table
from search.cli import build_parser
from search.errors import InputError
from search.planning.plan import Plan
from search.planning.saved_plan import rebuild
from search.results.score_matrix import ScoreMatrix
from search.spec.arguments import recipe, sweep_spec
from tests import factories
from trainables.engine.contract import DataRef


@pytest.fixture
def plan() -> Plan:
    """The baseline and four configs of two shapes over four blocks."""
    return factories.plan(
        data=DataRef(name="/some/where/reviews.csv", text="my text"),
        strategy="grid",
        set_axes={"k": (10, 100), "beta": (0.5, 0.9)},
        fix={"max_length": 16},
    )


@pytest.fixture
def table(plan: Plan) -> ScoreMatrix:
    table = ScoreMatrix.empty(plan)
    table.scores[:] = np.linspace(0.5, 0.9, table.scores.size).reshape(table.scores.shape)
    table.seconds[:] = 1.5
    return table


def test_a_table_comes_back_as_it_was(plan: Plan, table: ScoreMatrix, tmp_path: Path) -> None:
    table.scores[2, 1] = math.nan
    table.failures[2, 1] = "diverged"
    path = tmp_path / "mine.parquet"
    assert write_table(plan, table, path) == 20
    got = read_table(path)
    blocks = [(got.seeds.tolist().index(seed), fold) for seed, fold in plan.blocks]
    for block, (seed, fold) in enumerate(blocks):
        np.testing.assert_array_equal(got.scores[:, seed, fold], table.scores[:, block])
    np.testing.assert_array_equal(np.isnan(got.problem.features), np.isnan(plan.problem.features))
    assert got.problem.floor == plan.problem.floor
    # Configs share a group in the table where they share a shape in the sweep.
    groups = plan.problem.shapes[1:]
    assert (
        (groups[:, None] == groups) == (got.problem.shapes[1:, None] == got.problem.shapes[1:])
    ).all()


def test_cells_never_trained_are_left_out(plan: Plan, table: ScoreMatrix, tmp_path: Path) -> None:
    table.scores[2, 1] = math.nan
    assert write_table(plan, table, tmp_path / "t.parquet") == 19
    with pytest.raises(InputError, match="no finished cell"):
        write_table(plan, ScoreMatrix.empty(plan), tmp_path / "none.parquet")
    with pytest.raises(InputError, match="no folder"):
        write_table(plan, table, tmp_path / "absent" / "t.parquet")


def test_the_recipe_is_the_same_sweep(plan: Plan, table: ScoreMatrix, tmp_path: Path) -> None:
    write_table(plan, table, tmp_path / "t.parquet")
    about = pq.read_schema(tmp_path / "t.parquet").metadata[b"foldrace"].decode()
    assert "/some/where" not in about  # no path of the machine that made it
    words = shlex.split(recipe(plan.spec))
    again = sweep_spec(build_parser().parse_args(words[1:]))
    same = ("space", "set_axes", "fix", "seeds", "folds", "strategy", "configs")
    rebuilt = rebuild(again, plan.task)
    assert [rebuilt.axes_of(i) for i in range(5)] == [plan.axes_of(i) for i in range(5)]
    assert all(
        str(getattr(again, name)).replace("'", "") == str(getattr(plan.spec, name)).replace("'", "")
        for name in same
    )
    assert again.data.text == "my text"
