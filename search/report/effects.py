"""Effect of each axis on the score, with its uncertainty.

All configs of the space are looked at through the race's own model of them (search/strategies/
surrogate.py), fitted to every cell that was trained: a joint posterior of all expected scores. An
axis's effect is the mean score of all configs with one of its values; its importance the share of
the variance between configs that these means make up, as in functional ANOVA (Hutter, Hoos and
Leyton-Brown, An Efficient Approach for Assessing Hyperparameter Importance, ICML 2014). Each is
worked out for every draw of the posterior, which gives the intervals.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from search.arrays import FloatArray, IntArray
from search.strategies.board import TOLD, Board
from search.strategies.model.features import build_features
from search.strategies.model.surrogate import believe

if TYPE_CHECKING:
    from search.planning.plan import Plan


_DRAWS = 200
_SURE = 0.95
_MOST_VALUES = 4_000_000  # configs times draws: 32 MB


@dataclass(frozen=True, eq=False)
class AxisEffect:
    """One axis.

    Attributes:
        name: The axis.
        values: Its values, in order.
        mean: Posterior mean score of all configs with each value, (values,).
        low: Lower end of its 95% interval, as a difference to the average config.
        high: Upper end.
        cells: Cells trained with each value, (values,).
        importance: Share of the variance between configs, mean over the posterior.
        importance_low: Lower end of its 95% interval.
        importance_high: Upper end.
        foremost: Share of the posterior in which no axis matters more.
    """

    name: str
    values: tuple[object, ...]
    mean: FloatArray
    low: FloatArray
    high: FloatArray
    cells: IntArray
    importance: float
    importance_low: float
    importance_high: float
    foremost: float

    @property
    def clear(self) -> bool:
        """True if two values differ beyond both their intervals."""
        return bool(self.low.max() > self.high.min())


@dataclass(frozen=True, eq=False)
class PairEffect:
    """Two axes together.

    Attributes:
        names: The axes.
        values: Their values.
        mean: Posterior mean score, (values of the first, of the second); nan where no config is.
        cells: Cells trained, same shape.
        importance: Share of the variance between configs that is neither axis's alone.
    """

    names: tuple[str, str]
    values: tuple[tuple[object, ...], tuple[object, ...]]
    mean: FloatArray
    cells: IntArray
    importance: float


@dataclass(frozen=True, eq=False)
class Effects:
    """Axes, the most important first, and their pairs, likewise.

    Attributes:
        axes: Each axis that varies.
        pairs: Each two of them.
        noise: Share of one cell's variance, its block's effect taken off, that no config explains.
    """

    axes: tuple[AxisEffect, ...]
    pairs: tuple[PairEffect, ...]
    noise: float

    @property
    def matters_most(self) -> AxisEffect | None:
        """The axis that matters most; None if it has a rival."""
        if len(self.axes) < 2:
            return None
        first = self.axes[0]
        return first if first.clear and first.foremost > _SURE else None


def axis_effects(plan: Plan, scores: FloatArray, seed: int = 0) -> Effects:
    """The effects of all axes that have at least two values.

    Args:
        plan: The sweep.
        scores: Objective by config and block, nan where missing, (configs, blocks).
        seed: Seed of the draws.
    """
    board = Board.of(plan.problem, scores)
    if not board.count(TOLD):
        return Effects((), (), 1.0)
    belief = believe(build_features(plan.problem), board)
    draws = int(np.clip(_MOST_VALUES // len(scores), 40, _DRAWS))
    drawn = belief.draw(draws, np.random.default_rng(seed))
    cells = np.isfinite(scores).sum(axis=1)
    model = _Found(plan, drawn, cells)
    axes = model.axes()
    alone = {column: model.parts[column] for column in axes}
    pairs = [model.pair(first, second, alone) for first, second in itertools.combinations(axes, 2)]
    return Effects(
        tuple(sorted(axes.values(), key=lambda axis: -axis.importance)),
        tuple(sorted(pairs, key=lambda pair: -pair.importance)),
        belief.noise_sd**2 / (belief.noise_sd**2 + model.between) if belief.noise_sd else 0.0,
    )


class _Found:
    """The draws, grouped by the values of axes."""

    def __init__(self, plan: Plan, drawn: FloatArray, cells: IntArray) -> None:
        self._plan, self._drawn, self._cells = plan, drawn, cells
        features = plan.problem.features
        # Configs of the grid: a reference whose axes have no effect has no place on them.
        self._grid = np.isfinite(features).any(axis=1)
        self._features = features
        self._variance = drawn[self._grid].var(axis=0)
        self.between = float(self._variance.mean())
        self._variance[self._variance == 0] = np.inf
        self.columns = [
            column
            for column in range(features.shape[1])
            if len(np.unique(features[np.isfinite(features[:, column]), column])) > 1
        ]
        self.parts: dict[int, FloatArray] = {}

    def _means(self, groups: IntArray, rows: IntArray, count: int) -> tuple[FloatArray, IntArray]:
        """Mean of each group per draw, (groups, draws), and group sizes."""
        sums = np.zeros((count, self._drawn.shape[1]))
        np.add.at(sums, groups, self._drawn[rows])
        sizes = np.bincount(groups, minlength=count)
        with np.errstate(invalid="ignore"):
            return sums / sizes[:, None], sizes

    def _share(self, means: FloatArray, sizes: IntArray) -> FloatArray:
        """Variance between groups over the variance between configs, by draw."""
        there = sizes > 0
        weights = sizes[there] / sizes[there].sum()
        centre = weights @ means[there]
        spread: FloatArray = weights @ (means[there] - centre) ** 2 / self._variance
        return spread

    def axes(self) -> dict[int, AxisEffect]:
        """Each axis that varies, by its column."""
        axes = {column: self.axis(column) for column in self.columns}
        if not axes:
            return {}
        firsts = np.stack([self.parts[column] for column in axes]).argmax(axis=0)
        return {
            column: replace(axis, foremost=float((firsts == place).mean()))
            for place, (column, axis) in enumerate(axes.items())
        }

    def axis(self, column: int) -> AxisEffect:
        """One axis; how often it is the foremost is not known yet."""
        axis = self._plan.space.axes[column]
        rows = np.flatnonzero(np.isfinite(self._features[:, column]))
        groups = self._features[rows, column].astype(np.int64)
        means, sizes = self._means(groups, rows, len(axis.values))
        share = self.parts[column] = self._share(means, sizes)
        present = np.flatnonzero(sizes)
        # How good all configs are on average is not known either, but no effect of this axis.
        centre = (sizes[present] / sizes.sum()) @ means[present]
        means = means - centre + centre.mean()
        low, high = np.quantile(means[present], (0.025, 0.975), axis=1)
        reach = np.quantile(share, (0.025, 0.975))
        cells = np.bincount(groups, self._cells[rows], len(axis.values))[present]
        return AxisEffect(
            name=axis.name,
            values=tuple(axis.values[i] for i in present),
            mean=means[present].mean(axis=1),
            low=low,
            high=high,
            cells=cells.astype(np.int64),
            importance=float(share.mean()),
            importance_low=float(reach[0]),
            importance_high=float(reach[1]),
            foremost=1.0,
        )

    def pair(self, one: int, two: int, alone: Mapping[int, FloatArray]) -> PairEffect:
        first, second = (self._plan.space.axes[column] for column in (one, two))
        both = np.isfinite(self._features[:, one]) & np.isfinite(self._features[:, two])
        rows = np.flatnonzero(both)
        width, shape = len(second.values), (len(first.values), len(second.values))
        groups = (self._features[rows, one] * width + self._features[rows, two]).astype(np.int64)
        means, sizes = self._means(groups, rows, shape[0] * shape[1])
        share = self._share(means, sizes) - alone[one] - alone[two]
        grid = np.where(sizes > 0, means.mean(axis=1), np.nan).reshape(shape)
        cells = np.bincount(groups, self._cells[rows], shape[0] * shape[1]).reshape(shape)
        keep = np.ix_(np.isfinite(grid).any(axis=1), np.isfinite(grid).any(axis=0))
        return PairEffect(
            names=(first.name, second.name),
            values=(
                tuple(first.values[i] for i in keep[0].ravel().tolist()),
                tuple(second.values[i] for i in keep[1].ravel().tolist()),
            ),
            mean=grid[keep],
            cells=cells[keep].astype(np.int64),
            importance=float(np.maximum(share, 0).mean()),
        )
