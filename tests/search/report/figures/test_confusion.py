"""Confusion matrices of few and of many classes."""

from __future__ import annotations

import numpy as np
import pytest

from search.report.figures import confusion
from search.report.figures.style import look


@pytest.mark.parametrize("classes", [2, 27, 150])
def test_many_classes_make_no_large_drawing(classes: int) -> None:
    counts = np.eye(classes, dtype=np.int64) * 9 + 1
    with look():
        picture = confusion.draw(
            {"winner": counts, "paper": counts}, [f"a class of {n}" for n in range(classes)]
        )
    assert len(picture.svg) < 400_000
    assert ("Every 4th class is named" in picture.caption) == (classes == 150)
    figure = picture.figure
    assert figure is not None
    panels = [axes for axes in figure.axes if axes.get_title(loc="left")]
    bars = [axes for axes in figure.axes if axes.get_ylabel() == "share of the true class"]
    heights = [panel.get_window_extent().height for panel in panels]
    assert all(bar.get_window_extent().height < 1.3 * max(heights) for bar in bars)
    assert min(heights) > 0.3 * figure.get_window_extent().height / len(panels)


def test_names_under_a_matrix_do_not_touch() -> None:
    with look():
        picture = confusion.draw(
            {"winner": np.eye(2, dtype=np.int64), "paper": np.eye(2, dtype=np.int64)},
            ["HillaryClinton", "realDonaldTrump"],
        )
    assert picture.figure is not None
    for panel in (axes for axes in picture.figure.axes if axes.get_title(loc="left")):
        first, second = (label.get_window_extent() for label in panel.get_xticklabels())
        assert not first.overlaps(second)
