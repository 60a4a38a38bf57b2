"""The ledger's cells in the score matrix, damaged ones among them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from search.ledger.records import LoggedCell
from search.results.score_matrix import ScoreMatrix, tell_known
from tests.factories import plan


def logged(key: str, **fields: Any) -> LoggedCell:
    values: dict[str, Any] = {
        "status": "done",
        "metrics": {"accuracy": 0.5},
        "config_id": "c",
        "sweep_id": "s",
        "seed": 2,
        "fold": 0,
        "params": {},
        "error": None,
        "run_id": "r" * 32,
    }
    return LoggedCell(key=key, **{**values, **fields})


@pytest.mark.parametrize("metrics", [{"accuracy": math.nan}, {"accuracy": math.inf}, {}])
def test_a_damaged_score_is_named_and_stops_no_command(
    metrics: dict[str, float], caplog: pytest.LogCaptureFixture
) -> None:
    mine = plan()
    first, second, *_ = mine.keys
    told: dict[tuple[int, int], float | None] = {}
    table = ScoreMatrix.empty(mine)
    cells = {first: logged(first, metrics=metrics), second: logged(second)}
    tell_known(mine, cells.values(), table, lambda c, b, score, _: told.update({(c, b): score}))
    assert told == {mine.keys[first]: None, mine.keys[second]: 0.5}
    assert "has no sound accuracy" in table.failures[mine.keys[first]]
    assert "Delete that run" in caplog.text
    assert np.isfinite(table.scores).sum() == 1
