"""What a sweep will take: cells at once, hours from like cells or a few measured steps."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from search.ledger.records import LoggedCell
from search.planning.cost import expected
from search.planning.cost.estimate import Estimate, estimate
from search.planning.cost.expected import (
    Expected,
    before_the_run,
    gpus_here,
    seconds_of_like_cells,
)
from search.planning.plan import Plan
from search.planning.prepare import prepare
from search.spec.make_spec import make_spec
from search.strategies import named as race
from trainables.engine.cells import assembly, runner
from trainables.engine.contract import DataRef
from trainables.engine.training.cost import Clock


def plan_of(reviews: Path, tiny_encoder: Path, **changes: Any) -> Plan:
    fields: dict[str, Any] = {
        "space": "softtriple",
        "data": DataRef(name=str(reviews), text="body", label="verdict"),
        "model": str(tiny_encoder),
        "fix": {"max_length": 16, "epochs": 1, "batch_size": 16},
        **changes,
    }
    return prepare(make_spec(**fields))[0]


@pytest.fixture
def small(reviews: Path, tiny_encoder: Path) -> Plan:
    """Three configs of two shapes, and the baseline."""
    narrow = {"k": (10, 100), "gamma": (0.1,), "scale": (3.3,), "margin": (0.3,), "beta": (0.5,)}
    return plan_of(reviews, tiny_encoder, set_axes=narrow, seeds=(2, 16), folds=2)


def logged(key: str, seconds: float, k: str = "10", **params: str) -> LoggedCell:
    return LoggedCell(
        key=key,
        status="done",
        metrics={"seconds": seconds},
        config_id="a",
        sweep_id="s",
        seed=2,
        fold=0,
        params={"k": k, "batch_size": "16", "epochs": "1", "max_length": "16", **params},
        error=None,
        run_id="r",
    )


def test_a_race_of_the_papers_grid_is_said_in_a_line(reviews: Path, tiny_encoder: Path) -> None:
    plan = plan_of(reviews, tiny_encoder)
    found = Expected.of(plan)
    assert found.line("5 h on 2 slots") == (
        "race: about 2,941 cells, 3% of the grid's 98,020, 5 h on 2 slots"
    )
    assert found.most == 2 * found.typical, "the race ends there"
    limited = plan_of(reviews, tiny_encoder, budget={"max_cells": 500})
    assert Expected.of(limited).line() == "race: at most 500 cells, 0.5% of the grid's 98,020"


@pytest.mark.parametrize("strategy", race.STRATEGIES)
def test_no_strategy_expects_more_than_it_may_spend(
    strategy: str, reviews: Path, tiny_encoder: Path
) -> None:
    for cells in (None, 7):
        plan = plan_of(reviews, tiny_encoder, strategy=strategy, budget={"max_cells": cells})
        found = Expected.of(plan)
        asked = race.make_strategy(strategy, plan.problem, max_cells=cells)
        assert 0 < found.typical <= found.most == asked.max_cells


def test_hours_are_those_of_like_cells(small: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expected, "slots_here", lambda resources: (2, 0.0))
    assert before_the_run(small, {}).endswith("; `foldrace plan` measures the time")
    strange = {str(i): logged(str(i), 9.0, epochs="50") for i in range(5)}
    assert seconds_of_like_cells(small, strange) is None
    like = {str(i): logged(str(i), 60.0 + i) for i in range(5)}
    assert seconds_of_like_cells(small, {**strange, **like}) == 62.0
    own = {key: logged(key, 8.0) for key in list(small.keys)[:4]}
    assert seconds_of_like_cells(small, {**like, **own}) == 8.0
    left = Expected.of(small).typical - 4
    line = before_the_run(small, own)
    assert (
        f"about {8 * left // 2} s of training on 2 slots, as like cells in the ledger took" in line
    )
    assert "took" not in before_the_run(small, {key: logged(key, 1.0) for key in small.keys})


def test_a_plan_says_first_what_it_will_take_and_then_the_bound(small: Plan) -> None:
    found = estimate(small, {(0, 0)}, 2.0)
    first, bound, *_ = found.lines()
    assert first.startswith("race: ")
    assert bound.startswith("at most          11 cells")
    assert (found.cells, found.cells_in_ledger, found.cells_to_train) == (12, 1, 11)
    assert found.shapes_measured == found.shapes == 3
    assert 0 < found.typical_hours <= found.wall_hours
    assert found.money == pytest.approx(2.0 * found.slot_hours)


def test_a_measurement_without_time_trains_one_step(
    small: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []

    class Counted(assembly.Training):
        def epoch(self, number: int, most_steps: int | None = None) -> float:
            steps.append(most_steps or 0)
            return super().epoch(number, most_steps)

        def predict(self) -> Any:
            raise AssertionError("there is no time to score")

    monkeypatch.setattr(assembly, "Training", Counted)
    timing = runner.measure(small.task, small.cell((1, 0)), cells=1, clock=Clock(0.0))
    assert steps == [1]
    assert timing.stack_size == 1
    assert timing.seconds_per_cell > 0


def test_a_clocks_share_is_of_what_is_left() -> None:
    assert Clock().left == float("inf")
    assert 0 < Clock(10.0).share(0.5).left <= 5.0
    assert Clock(-1.0).share(0.5).left <= 0


def test_gpus_are_named_with_their_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpus_here() is None
    cards = [SimpleNamespace(name="A card", total_memory=79 * 2**30)] * 2
    cards.append(SimpleNamespace(name="Another", total_memory=24 * 2**30))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(cards))
    monkeypatch.setattr(torch.cuda, "get_device_properties", cards.__getitem__)
    assert gpus_here() == "2 x A card (79 GiB), 1 x Another (24 GiB)"


@pytest.mark.parametrize(
    ("together", "said"), [(8, "8 trained as one model"), (1, "trained alone")]
)
def test_a_plan_names_the_gpus_and_the_size_of_stacks(together: int, said: str) -> None:
    of_cells = dict.fromkeys(("configs", "cells", "typical_cells", "cells_to_train"), 40)
    none = dict.fromkeys(("cells_in_ledger", "nested_cells", "nested_cells_to_train"), 0)
    hours = dict.fromkeys(("typical_hours", "wall_hours", "gpu_hours", "slot_hours"), 1.0)
    lines = Estimate(
        strategy="race",
        **of_cells,
        **none,
        **hours,
        seconds_per_cell=0.5,
        together=together,
        shapes=1,
        shapes_measured=1,
        slots=8,
        money=None,
        gpus="8 x A card (79 GiB)",
    ).lines()
    assert f"a cell           0.50 s, from steps measured on this machine, {said}" in lines
    assert "GPUs             8 x A card (79 GiB)" in lines
