"""What an axis is said to do is what it does, on tables whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.figure import Figure

from search.planning.plan import Plan
from search.report.effects import Effects, axis_effects
from search.report.figures import axes as draw_axes
from tests import factories

BETAS = (0.1, 0.3, 0.5, 0.7, 0.9)
SCALES = (1.0, 3.3, 10.0)


@pytest.fixture(scope="module")
def plan() -> Plan:
    """2 x 3 x 5 configs of the SoftTriple grid, and its baseline, over 10 blocks."""
    axes = {"k": (10, 100), "scale": SCALES, "beta": BETAS}
    return factories.plan(set_axes=axes, folds=5)


def scores_of(plan: Plan, noise: float = 0.002) -> npt.NDArray[np.float64]:
    """beta rises by 0.01 a step, scale by 0.005; k does nothing."""
    rng = np.random.default_rng(0)
    means = []
    for config in plan.configs:
        on_grid = config["beta"] in BETAS
        steps = BETAS.index(config["beta"]) if on_grid else 0  # type: ignore[arg-type]
        sharp = SCALES.index(config["scale"]) if on_grid else 0  # type: ignore[arg-type]
        means.append(0.8 + 0.01 * steps + 0.005 * sharp)
    table = np.array(means)[:, None] + rng.normal(0, noise, (len(means), len(plan.blocks)))
    return table + rng.normal(0, 0.02, len(plan.blocks))  # easy and hard blocks


@pytest.fixture(scope="module")
def effects(plan: Plan) -> Effects:
    return axis_effects(plan, scores_of(plan))


def test_the_axis_that_does_most_stands_first_and_the_idle_one_last(effects: Effects) -> None:
    assert [axis.name for axis in effects.axes] == ["beta", "scale", "k"]


def test_importance_is_the_share_of_the_variance(effects: Effects) -> None:
    by_name = {axis.name: axis for axis in effects.axes}
    beta, scale = np.var(0.01 * np.arange(5)), np.var(0.005 * np.arange(3))
    for name, truth in (("beta", beta), ("scale", scale), ("k", 0.0)):
        found = by_name[name]
        assert found.importance == pytest.approx(truth / (beta + scale), abs=0.03)
        # A share cannot be below 0, so that an idle axis's interval starts a hair above it.
        assert found.importance_low - 0.01 <= truth / (beta + scale) <= found.importance_high


def test_an_effect_is_the_mean_score_of_a_value(effects: Effects) -> None:
    beta = effects.axes[0]
    assert beta.values == BETAS
    assert np.diff(beta.mean) == pytest.approx(np.full(4, 0.01), abs=0.002)
    assert (beta.low < beta.mean).all()
    assert (beta.mean < beta.high).all()
    assert beta.cells.tolist() == [60] * 5


def test_fewer_cells_leave_more_doubt(plan: Plan, effects: Effects) -> None:
    scores = scores_of(plan)
    scores[:, 2:] = np.nan
    scores[5::2] = np.nan
    doubtful = {axis.name: axis for axis in axis_effects(plan, scores).axes}
    for sure in effects.axes:
        unsure = doubtful[sure.name]
        assert (unsure.high - unsure.low).mean() > 1.5 * (sure.high - sure.low).mean()


def test_a_map_of_two_axes_has_a_mean_for_every_pair_of_values(effects: Effects) -> None:
    pair = next(one for one in effects.pairs if set(one.names) == {"scale", "beta"})
    assert pair.names == ("scale", "beta")
    assert pair.mean.shape == (3, 5)
    assert (pair.cells == 20).all()
    assert pair.importance < 0.02, "the axes add up: nothing is left for the two together"


def test_noise_is_what_a_cell_has_beside_its_config_and_block(plan: Plan) -> None:
    between = np.var(0.01 * np.arange(5)) + np.var(0.005 * np.arange(3))
    for noise in (0.005, 0.03):
        share = noise**2 / (noise**2 + between)
        assert axis_effects(plan, scores_of(plan, noise)).noise == pytest.approx(share, abs=0.08)


def test_no_axis_is_said_to_matter_most_on_noise_alone(plan: Plan, effects: Effects) -> None:
    assert effects.matters_most is not None
    assert effects.matters_most.name == "beta"
    rng = np.random.default_rng(1)
    noise = axis_effects(plan, rng.normal(0.8, 0.02, (len(plan.configs), len(plan.blocks))))
    assert noise.matters_most is None
    picture = draw_axes.importance(noise)
    assert picture is not None
    assert "matters most:" not in picture.caption
    assert draw_axes.importance(replace(effects, axes=effects.axes[:1], pairs=())) is None


def test_nothing_is_said_before_the_first_cell(plan: Plan) -> None:
    empty = np.full((len(plan.configs), len(plan.blocks)), np.nan)
    found = axis_effects(plan, empty)
    assert (found.axes, found.pairs) == ((), ())


def test_the_ticks_of_an_axis_of_many_values_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    axes = {"k": ("10..40",), "gamma": (0.1,), "margin": (0.3,), "scale": SCALES, "beta": (0.5,)}
    wide = factories.plan(set_axes=axes, folds=5)
    scores = np.random.default_rng(0).normal(0.8, 0.02, (len(wide.configs), len(wide.blocks)))
    figures: list[Figure] = []
    monkeypatch.setattr(draw_axes, "finish", lambda figure, *_: figures.append(figure))
    found = axis_effects(wide, scores)
    draw_axes.effect(found, "accuracy", "points")
    draw_axes.maps(found, "accuracy", "points")
    assert {len(axis.values) for axis in found.axes} == {31, 3}
    ticks = [panel.get_xticklabels() for figure in figures for panel in figure.axes]
    assert max(map(len, ticks)) <= 12
    assert ticks[0][0].get_text() in ("10", "1")
