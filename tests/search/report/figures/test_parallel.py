"""Configs as lines across their axes."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any, cast

from search.report.evidence import Evidence
from search.report.figures.parallel import parallel
from search.report.figures.style import look


def _evidence(configs: list[dict[str, Any]]) -> Evidence:
    rows = [SimpleNamespace(config=n, mean=0.9 - 1e-4 * n) for n in range(len(configs))]
    plan = SimpleNamespace(
        axes_of=lambda config: configs[config], space=SimpleNamespace(objective="accuracy")
    )
    return cast(Evidence, SimpleNamespace(standings=SimpleNamespace(rows=rows), plan=plan))


def test_an_axis_without_effect_has_a_place_of_its_own() -> None:
    with look():
        picture = parallel(
            _evidence([{"loss": "lcl", "t": 0.3}, {"loss": "ce"}, {"loss": "scl", "t": 0.1}])
        )
    assert picture is not None
    assert picture.figure is not None
    (panel,) = picture.figure.axes
    heights = [line.get_ydata() for line in panel.get_lines() if len(line.get_ydata()) == 3]
    best = next(line for line in heights if line[2] == 1.0)
    # The best: `lcl` is the second of three names, 0.3 the last of -, 0.1, 0.3.
    assert abs(best[0] - 0.5) < 0.05
    assert abs(best[1] - 1.0) < 0.05
    said = [text.get_text() for text in panel.texts]
    assert said[:6] == ["ce", "lcl", "scl", "-", "0.1", "0.3"]


def test_one_axis_makes_no_figure() -> None:
    assert parallel(_evidence([{"k": 1, "beta": 0.5}, {"k": 2, "beta": 0.5}])) is None


def test_thousands_of_configs_are_thinned() -> None:
    with look():
        picture = parallel(_evidence([{"a": n % 7, "b": n % 70} for n in range(4900)]))
    assert picture is not None
    shown = re.match(r"(\d+) of the 4,900", picture.caption)
    assert shown is not None
    assert 150 <= int(shown[1]) <= 300
    assert len(picture.svg) < 400_000
