"""Names and words are drawn as they are written: none is a formula."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trainables.analysis import token_correlation, word_frequency
from trainables.analysis.cam_words import WordMean, bar_chart
from trainables.analysis.pca import Panel, page

NAMES = ("$a_$", "$100-$200", "_x", "{\\frac$", "\u0939\u093f\u0928\u094d\u0926\u0940")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_looks_like_a_formula_is_drawn(name: str, tmp_path: Path) -> None:
    pictures = [tmp_path / f"{number}.png" for number in range(4)]
    bar_chart({name: [WordMean(name, 1.0, 1, 1)]}, name, pictures[0])
    word_frequency.draw({name: [(name, 3)]}, pictures[1])
    points, labels = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0, 1])
    panel = Panel(title=name, points=points, labels=labels)
    page([panel], [name, "other"], name, pictures[2])
    square = np.eye(2)
    token_correlation.picture([name, "b"], {"before": square, "after": square}, name, pictures[3])
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)
