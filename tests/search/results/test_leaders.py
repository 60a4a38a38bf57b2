"""Who leads and who fell back, in a table whose truth is plain; and the lines for programs."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import numpy as np
import pytest

from search.console import live
from search.planning.plan import Plan
from search.results.leaders import Leaders
from search.results.score_matrix import ScoreMatrix
from tests import factories
from trainables.engine.contract import CellResult


@pytest.fixture
def plan() -> Plan:
    return factories.plan(folds=5)


def table_of(plan: Plan) -> ScoreMatrix:
    """Config 1 leads by far; config 2 was stopped after three cells, well behind."""
    table = ScoreMatrix.empty(plan)
    noise = np.random.default_rng(0).normal(0, 0.002, table.scores.shape)
    table.scores[:2] = np.array([0.80, 0.90])[:, None] + noise[:2]
    table.scores[2, :3] = 0.60 + noise[2, :3]
    table.scores[3:, :3] = 0.70 + noise[3:, :3]
    return table


def test_the_best_complete_config_stands_first(plan: Plan) -> None:
    leaders = Leaders(plan)
    leaders.update(table_of(plan))
    first, second = leaders.leaders[:2]
    assert (first.label, second.label) == (plan.label(1), plan.label(0))
    assert first.p_best is not None
    assert first.p_best > 0.95
    assert first.gain == pytest.approx(0.1, abs=0.005)
    assert second.gain is None, "the baseline gains nothing over itself"


def test_a_dropped_config_is_named_with_its_distance(plan: Plan) -> None:
    leaders = Leaders(plan)
    leaders.update(table_of(plan))
    lines = leaders.dropped_lines()
    assert leaders.dropped_count == len(plan.configs) - 2
    assert {leader.label for leader in leaders.leaders} == {plan.label(0), plan.label(1)}
    nearest = leaders.dropped[0]
    assert nearest.behind == pytest.approx(-0.2, abs=0.03)
    assert nearest.cells == 3
    assert lines[1] == f"  {100 * nearest.behind:+.2f} points, 3 cells: {nearest.label}"


def test_a_second_look_waits(plan: Plan) -> None:
    leaders = Leaders(plan)
    leaders.update(table_of(plan))
    before = list(leaders.leaders)
    leaders.update(ScoreMatrix.empty(plan))
    assert leaders.leaders == before


def test_a_program_reads_one_object_a_line(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    shown = live.display(machine=True)
    table = ScoreMatrix.empty(plan)
    shown.on_start(plan, table, 60)
    shown.on_workers(2, dict)
    table.scores[1, 0] = 0.9
    done = CellResult(key="k", status="done", metrics={"accuracy": 0.9, "seconds": 1.0})
    shown.on_cell(plan, table, (1, 0), done)
    lost = CellResult(key="l", status="failed", error="out of memory")
    shown.on_cell(plan, table, (2, 0), lost)
    shown.on_end()
    events: list[dict[str, Any]] = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [one["event"] for one in events] == ["sweep", "started", "cell", "cell", "closed"]
    assert (events[2]["score"], events[2]["done"], events[2]["planned"]) == (0.9, 1, 60)
    assert (events[3]["score"], events[3]["error"]) == (None, "out of memory")
    assert events[2]["config"] == plan.axes_of(1)


def test_a_terminal_shows_the_state(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    shown = live.display()
    assert isinstance(shown, live.LiveDisplay)
    table = table_of(plan)
    shown.on_start(plan, table, 60)
    shown.on_workers(2, lambda: {"a": [(3, 4), (4, 4)]})
    result = CellResult(key="l", status="diverged", error="the loss became nan")
    shown.on_cell(plan, table, (2, 0), result)
    shown.on_end()
    text = stream.getvalue()
    for piece in (
        "leaders",
        "P(best)",
        "of at most 60 cells",
        "and 1 more",
        "fell back",
        "became nan",
    ):
        assert piece in text, piece
    assert not math.isnan(table.scores[0, 0])
