"""The config at a place of the leaderboard, and what is said where it cannot be had."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from search.errors import InputError
from search.results.outcome import SweepResult
from search.results.score_matrix import ScoreMatrix
from search.results.standings import rank
from tests import factories
from trainables.engine.contract import Scalar


@pytest.fixture
def outcome() -> SweepResult:
    """Three configs of two cells each: beta = 0.1, then 0.5, then cross-entropy."""
    plan = factories.plan(seeds=(2,), set_axes={"scale": (1.0,), "beta": (0.1, 0.5)})
    table = ScoreMatrix.empty(plan)
    for config, values in enumerate(plan.configs):
        table.scores[config] = 0.8 - 0.1 * float(str(values["beta"])) + np.array([0.0, 0.01])
    best = int(table.scores.mean(axis=1).argmax())
    standings = rank(plan, table.scores, best)
    return SweepResult("s", plan, table, standings, complete=True, seconds=0.0)


def test_a_place_is_a_config(outcome: SweepResult) -> None:
    betas = [outcome.plan.configs[outcome.config_at(rank)]["beta"] for rank in (1, 2, 3)]
    assert betas == [0.1, 0.5, 1.0]


@pytest.mark.parametrize("rank", [0, 4])
def test_a_place_that_is_not_there_is_named(outcome: SweepResult, rank: int) -> None:
    with pytest.raises(InputError, match=f"--rank must be from 1 to 3, got {rank}"):
        outcome.config_at(rank)


def test_a_config_with_a_fault_is_refused_with_the_best_that_has_none(outcome: SweepResult) -> None:
    def fault(trainable: str, config: Mapping[str, Scalar]) -> str | None:
        assert trainable == "triple_entropy"
        return None if config["beta"] == 0.5 else "It is no good."

    with pytest.raises(InputError, match=r"It is no good\. .*without that fault: --rank 2\."):
        outcome.config_at(1, fault)
    assert outcome.plan.configs[outcome.config_at(2, fault)]["beta"] == 0.5
    with pytest.raises(InputError, match=r"It is no good\.$"):
        outcome.config_at(1, lambda *_: "It is no good.")
