"""Batches of a cell: each row once an epoch, and of similar length where cells train together."""

from __future__ import annotations

import numpy as np
import pytest

from trainables.engine.inputs.tokens import LengthBuckets


def lengths(rows: int) -> np.ndarray:
    """Of short texts: a few are several times as long as most."""
    return 3 + np.random.default_rng(0).geometric(0.1, size=rows)


@pytest.mark.parametrize("rows", [800, 803, 20])
def test_every_row_is_met_once_an_epoch(rows: int) -> None:
    buckets = LengthBuckets(lengths(rows), 16, seed=2)
    for epoch in range(3):
        buckets.epoch = epoch
        met = [row for batch in buckets for row in batch]
        assert sorted(met) == list(range(rows))
        assert len(list(buckets)) == len(buckets)


def test_a_stack_pads_little_more_than_its_cells_alone() -> None:
    of_row = lengths(800)
    cells = [list(LengthBuckets(of_row, 16, seed=seed)) for seed in range(32)]
    longest = np.array([[of_row[batch].max() for batch in cell] for cell in cells])
    assert longest.max(axis=0).mean() < 1.25 * longest.mean()
    # Long and short batches still take turns.
    assert abs(np.corrcoef(longest[0], np.arange(50))[0, 1]) < 0.5


def test_a_smaller_batch_has_one_place_in_all_cells() -> None:
    # A step of a stack in which batches differ in size is done in parts.
    cells = [list(LengthBuckets(lengths(803), 16, seed=seed)) for seed in range(8)]
    places = {[len(batch) for batch in cell].index(3) for cell in cells}
    assert len(places) == 1
