"""The Pareto front: by definition, on small tables."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from search.stats.pareto import front

VALUES = st.sampled_from([0.0, 1.0, 2.0, 3.0, float("nan")])


def test_it_is_what_nobody_beats_and_equals_stand_side_by_side() -> None:
    scores = np.array([0.9, 0.8, 0.8, 0.7, 0.9, np.nan])
    costs = np.array([10.0, 5.0, 5.0, 6.0, 11.0, 1.0])
    assert front(scores, costs).tolist() == [True, True, True, False, False, False]


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=6))
def test_each_point_that_is_not_on_it_is_beaten_by_one_that_is(
    points: list[tuple[float, float]],
) -> None:
    scores, costs = (np.array(column) for column in zip(*points, strict=True))
    on_it = front(scores, costs)
    for place, (score, cost) in enumerate(points):
        if not np.isfinite([score, cost]).all():
            assert not on_it[place]
        elif not on_it[place]:
            assert any(
                scores[i] >= score and costs[i] <= cost and (scores[i], costs[i]) != (score, cost)
                for i in np.flatnonzero(on_it)
            )
