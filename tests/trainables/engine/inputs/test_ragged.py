"""Batches cut out of rows of unequal length, against a loop over the rows."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainables.engine.inputs.ragged import Column, Ragged


@given(
    lengths=st.lists(st.integers(1, 5), min_size=1, max_size=6),
    shape=st.sampled_from([(3,), (2, 2), (1, 1)]),
    draw=st.randoms(use_true_random=False),
)
def test_padded_is_what_a_loop_over_rows_gives(
    lengths: list[int], shape: tuple[int, ...], draw: np.random.RandomState
) -> None:
    rows = np.array([draw.randrange(len(lengths)) for _ in range(int(np.prod(shape)))])
    total = sum(lengths)
    ids, wide = torch.arange(total), torch.arange(2.0 * total).reshape(total, 2)
    ragged = Ragged({"ids": Column(ids, -7), "wide": Column(wide, 0.5)}, np.array(lengths))
    batch = ragged.padded(rows.reshape(shape))
    longest = max(lengths[row] for row in rows)
    assert batch["ids"].shape == (*shape, longest)
    assert batch["wide"].shape == (*shape, longest, 2)
    starts = np.cumsum([0, *lengths])
    flat = {name: value.flatten(0, len(shape) - 1) for name, value in batch.items()}
    for place, row in enumerate(rows):
        size, start = lengths[row], int(starts[row])
        assert flat["ids"][place].tolist() == [*range(start, start + size)] + [-7] * (
            longest - size
        )
        assert flat["wide"][place, :size].equal(wide[start : start + size])
        assert (flat["wide"][place, size:] == 0.5).all()
        assert flat["attention_mask"][place].tolist() == [1] * size + [0] * (longest - size)
