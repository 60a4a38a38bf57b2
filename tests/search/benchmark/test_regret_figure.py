"""The figure of a benchmark: what it says and where its labels stand."""

from __future__ import annotations

import numpy as np
import pytest

from search.benchmark.regret import summary
from search.benchmark.regret_figure import draw, spread


def document(name: str = "toy") -> dict:
    rng = np.random.default_rng(0)
    strategies = {"exhaustive": summary([(1.0, rng.random(20) / 100)])}
    for i, strategy in enumerate(("race", "halving", "pooled")):
        points = [(share, (i + 1) * rng.random(20) / 100) for share in (0.01, 0.03, 0.1)]
        strategies[strategy] = summary(points)
    return {"table": name, "configs": 500, "blocks": 20, "strategies": strategies}


def test_the_figure_names_every_line_and_table(tmp_path, monkeypatch):
    # Text stays text in an SVG that is told so, and can be read back.
    monkeypatch.setitem(__import__("matplotlib").rcParams, "svg.fonttype", "none")
    draw([document("one"), document("two"), document("three")], tmp_path / "regret.svg")
    text = (tmp_path / "regret.svg").read_text()
    for words in ("race", "halving", "pooled", "exhaustive", "one: 500 configs", "three: 500"):
        assert words in text


def test_a_strategy_that_never_named_a_config_is_left_out(tmp_path):
    mute = document()
    mute["strategies"]["race"] = summary([(0.01, np.full(20, np.nan))])
    draw([mute], tmp_path / "regret.png")
    assert (tmp_path / "regret.png").stat().st_size > 10_000


def test_nothing_to_draw_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one benchmark document"):
        draw([], tmp_path / "regret.png")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 3.0], [1.0, 3.0]),
        ([2.0, 2.0], [1.5, 2.5]),
        ([2.0, 2.0, 2.2], [2.0 - 14 / 15, 2.0 + 1 / 15, 2.0 + 16 / 15]),
        ([0.0, 0.1], [0.0, 1.0]),
        ([9.8, 9.9], [9.0, 10.0]),
    ],
)
def test_labels_move_apart_no_more_than_they_must(values, expected):
    np.testing.assert_allclose(spread(values, gap=1.0, top=10.0), expected, atol=1e-12)
