"""A sweep over weight decays that can move nothing says so; one that can does not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from transformers import get_scheduler

from search.planning import decay
from search.planning.plan import Plan
from spaces.linear_eval import SPACE


def _plan(**fixed: Any) -> Plan:
    space = SPACE.fix(fixed)
    configs = tuple(space.complete(config) for config in space.grid())
    return cast(Plan, SimpleNamespace(space=space, configs=configs))


@pytest.mark.parametrize("schedule", ["constant_with_warmup", "linear", "cosine"])
def test_the_share_is_what_adamw_takes_off(schedule: str) -> None:
    weight = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))
    optimizer = torch.optim.AdamW([weight], lr=0.01, weight_decay=0.1)
    scheduler = get_scheduler(schedule, optimizer, 20, 200)
    for _ in range(200):
        weight.grad = torch.zeros_like(weight)
        optimizer.step()
        scheduler.step()
    config = {
        "learning_rate": 0.01,
        "weight_decay": 0.1,
        "warmup_fraction": 0.1,
        "schedule": schedule.partition("_")[0],
        "batch_size": 8,
        "epochs": 2,
    }
    # Warm-up begins at 0: a step's worth of the mean is left.
    taken = 1 - float(weight[0].detach())
    assert decay.shrinkage(config, 800) == pytest.approx(taken, rel=0.02)


def test_two_steps_cannot_tell_the_papers_decays_apart() -> None:
    said = decay.note(_plan(representation="encoder-mean"), 200)
    assert said is not None
    assert said.startswith("weight_decay 1e-05, 0.001, 0.1 cannot be told apart here: in the 4 st")
    assert "shrinks a weight by 0.02% in all" in said


@pytest.mark.parametrize(
    ("fixed", "rows"),
    [({"representation": "encoder-mean"}, 35_918), ({"weight_decay": 0.1}, 200)],
    ids=["the paper's rows", "one decay"],
)
def test_nothing_is_said_where_it_counts_or_is_not_searched(fixed: Any, rows: int) -> None:
    assert decay.note(_plan(**fixed), rows) is None
