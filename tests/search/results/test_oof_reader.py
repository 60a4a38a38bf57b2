"""Predictions that a sweep's cells kept, gathered by row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from search.errors import NoPredictionsError
from search.results.oof_reader import gather
from search.results.sweep_labels import SweepLabels
from tests import factories

ROWS, TEST = 8, np.array([5, 6, 7])


class Kept:
    """What a ledger answers of cells that all predict the same test rows."""

    def file(self, sweep_id: str, name: str) -> bytes:
        del sweep_id, name
        return SweepLabels(np.arange(ROWS) % 2, np.arange(ROWS), ("a", "b")).to_bytes()

    def predictions_of(self, keys: Sequence[str]) -> Iterator[tuple[Any, Any]]:
        for number, _ in enumerate(keys):
            yield TEST, np.full((len(TEST), 2), number / 10, np.float32)


def test_an_official_test_part_is_rows_that_each_seed_predicts() -> None:
    plan = factories.plan(folds=None, holdout="official")
    ledger: Any = Kept()
    found = gather(ledger, "sweep", plan, np.array([0, 2]), part=True)
    assert found.labels.tolist() == [1, 0, 1]
    assert found.groups.tolist() == TEST.tolist()
    # Cells in order: both seeds of the one config, then of the other.
    assert found.probabilities[:, :, 0, 0] == pytest.approx(np.array([[0.0, 0.1], [0.2, 0.3]]))
    assert found.folds.tolist() == [[0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("holdout", "part"), [("official", False), (0.25, True)], ids=["all rows wanted", "drawn rows"]
)
def test_another_hold_out_predicts_too_few_rows(holdout: Any, part: bool) -> None:
    plan = factories.plan(folds=None, holdout=holdout)
    ledger: Any = Kept()
    with pytest.raises(NoPredictionsError, match="hold-out protocol does not predict every row"):
        gather(ledger, "sweep", plan, np.array([0]), part=part)
