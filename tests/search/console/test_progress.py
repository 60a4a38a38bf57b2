"""How long a sweep may still take, on a clock that the test winds."""

from __future__ import annotations

import numpy as np
import pytest

from search.console.progress import Progress


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_time_left_is_what_the_cells_so_far_took() -> None:
    clock = Clock()
    pace = Progress(planned=30, reused=10, clock=clock)
    pace.start()
    for _ in range(5):
        clock.now += 2.0
        pace.cell(4.0)  # two at a time
    assert (pace.done, pace.per_minute) == (15, 30.0)
    left = pace.left
    assert left is not None
    assert left.middle == pytest.approx(30.0)
    assert left.low == left.high == pytest.approx(30.0), "cells of equal length leave no doubt"


def test_nothing_is_promised_before_three_cells() -> None:
    pace = Progress(planned=10, clock=Clock())
    assert (pace.left, pace.per_minute) == (None, 0.0)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        seconds = rng.gamma(4.0, 1.0, 60)
        clock = Clock()
        pace = Progress(planned=60, clock=clock)
        pace.start()
        for one in seconds[:12]:
            clock.now += one
            pace.cell(one)
        left = pace.left
        assert left is not None
        held += left.low <= seconds[12:].sum() <= left.high
    assert held / 400 == pytest.approx(0.8, abs=0.06)
