"""Figures of scores: what a picture holds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from search.report.evidence import STEP_LOSSES, Curve, Evidence
from search.report.figures import scores


def _evidence(**values: Any) -> Evidence:
    empty = {name: np.zeros((2, 0)) for name in STEP_LOSSES}
    curve = Curve(0, {**empty, **values})
    return cast(Evidence, SimpleNamespace(curves=(curve,), plan=SimpleNamespace(names={0: "p"})))


def test_losses_by_step_are_drawn_where_they_are_kept() -> None:
    assert scores.step_losses(_evidence()) is None
    every_other = np.array([[2.0, np.nan, 1.0, np.nan], [4.0, np.nan, 1.0, np.nan]])
    picture = scores.step_losses(_evidence(step_train_loss=every_other))
    assert picture is not None
    assert picture.name == "step-losses"
    assert "loss on training rows" in picture.svg
    assert "loss on validation rows" not in picture.svg
    both = scores.step_losses(
        _evidence(step_train_loss=every_other, step_valid_loss=every_other + 1)
    )
    assert both is not None
    assert "loss on validation rows" in both.svg
