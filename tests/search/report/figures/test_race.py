"""The course of a search, counted by hand."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from search.report.figures.race import course


def test_a_config_is_alive_from_its_first_cell_to_its_last_unless_it_is_complete() -> None:
    # 0 is complete after two cells, 1 is dropped after one, 2 comes late and stays.
    found = course(np.array([(0, 0), (1, 0), (0, 1), (2, 0), (2, 1)]), blocks=2)
    assert found.tried.tolist() == [1, 2, 2, 3, 3]
    assert found.alive.tolist() == [1, 2, 1, 2, 2]
    assert found.complete.tolist() == [0, 0, 1, 1, 2]


@given(st.permutations([(c, b) for c in range(4) for b in range(3)]), st.integers(1, 12))
def test_counts_never_contradict_one_another(pairs: list[tuple[int, int]], cells: int) -> None:
    found = course(np.array(pairs[:cells]), blocks=3)
    assert (found.complete <= found.alive).all()
    assert (found.alive <= found.tried).all()
    assert (np.diff(found.tried) >= 0).all()
    assert found.tried[-1] == len({config for config, _ in pairs[:cells]})
