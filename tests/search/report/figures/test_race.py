"""The course of a search, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.report.figures.race import by_size, course
from search.report.paper import Verdict


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


@pytest.mark.parametrize(
    ("objective", "unit"), [("accuracy", "points"), ("loss", "hundredths of a nat")]
)
def test_gains_by_size_are_in_the_objectives_unit(objective: str, unit: str) -> None:
    verdict = Verdict(
        sweep="s", table="t", source="t", row="r", data="trec", rows=1000, paper_model=None,
        our_model="m", paper_baseline=0.9, paper_score=0.91, our_baseline=0.8, our_score=0.82,
        our_gain=0.02, low=0.01, high=0.03, says="agrees", because="",
    )  # fmt: skip
    picture = by_size([verdict], "Gain by size", objective)
    assert picture is not None
    assert f"gain over the baseline in {objective}, {unit}" in picture.svg
