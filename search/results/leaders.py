"""Leaders of a running sweep, and the configs that fell back."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from search.formatting import counted, unit
from search.results.standings import adjusted_means, mean_interval
from search.stats.p_best import chances

if TYPE_CHECKING:
    from search.planning.plan import Plan
    from search.results.score_matrix import ScoreMatrix

_LEADERS, _DROPPED = 5, 3
# A config is out when it has a tenth of the probability that all tried ones would share equally.
_HOPELESS = 0.1
# A look may take a tenth of a second on a large grid: then it comes every five seconds.
_REST = 50.0
_LEAST_SECONDS = 2.0


@dataclass(frozen=True)
class Leader:
    """A leading config.

    Scores are fractions; None where there are too few cells.

    The mean of a config that lacks cells is adjusted for the blocks that it lacks.
    """

    label: str
    mean: float
    low: float | None
    high: float | None
    cells: int
    p_best: float | None
    gain: float | None


@dataclass(frozen=True)
class Dropped:
    """A config that is probably not the best, and its distance.

    Attributes:
        label: The config.
        behind: Its distance to the first, by the race's model of all configs where configs were
            stopped early, else of the means; below 0 where it is worse.
        cells: Cells that it has.
    """

    label: str
    behind: float
    cells: int


class Leaders:
    """The leaders and the dropped of one sweep.

    Attributes:
        leaders: Best first, by the race's model of all configs: one lucky cell leads nowhere.
        dropped: Those with cells, not all, and next to no probability of being the best; the one
            that was nearest first.
        dropped_count: Number of dropped configs.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._next = 0.0
        self.leaders: list[Leader] = []
        self.dropped: list[Dropped] = []
        self.dropped_count = 0

    def update(self, table: ScoreMatrix) -> None:
        """Update leaders, unless the last update was too recent."""
        began = time.monotonic()
        if began < self._next or not np.isfinite(table.scores).any():
            return
        self._look(table)
        now = time.monotonic()
        self._next = now + max(_LEAST_SECONDS, _REST * (now - began))

    def _look(self, table: ScoreMatrix) -> None:
        plan, scores, sign = self._plan, table.scores, self._plan.problem.sign
        share = plan.test_share
        counts = np.isfinite(scores).sum(axis=1)
        best = chances(plan.problem, scores, table.failed, share)
        p_best = None if best is None else best.p_best
        tried = np.flatnonzero(counts)
        means = adjusted_means(plan, scores)
        worth = means.copy()
        if best is not None and best.means is not None:
            worth[tried] = best.means[tried]
        order = tried[np.argsort(-sign * worth[tried], kind="stable")]
        dropped: list[int] = []
        if p_best is not None:
            hopeless = (counts < scores.shape[1]) & (p_best < _HOPELESS / len(tried))
            dropped = order[hopeless[order]].tolist()
        # Who fell back leads no more, also where few are left.
        out = set(dropped)
        leading = [config for config in order.tolist() if config not in out]
        self.leaders = []
        for config in leading[:_LEADERS]:
            interval = mean_interval(scores[config], share)
            gain = None
            if plan.baseline is not None and config != plan.baseline:
                pairs = scores[config] - scores[plan.baseline]
                gain = float(np.nanmean(pairs)) if np.isfinite(pairs).any() else None
            self.leaders.append(
                Leader(
                    label=plan.label(config),
                    mean=float(means[config]),
                    low=None if interval is None else interval.low,
                    high=None if interval is None else interval.high,
                    cells=int(counts[config]),
                    p_best=None if p_best is None else float(p_best[config]),
                    gain=gain,
                )
            )
        self.dropped_count = len(dropped)
        first = worth[order[0]]
        self.dropped = [
            Dropped(plan.label(one), float(sign * (worth[one] - first)), int(counts[one]))
            for one in dropped[:_DROPPED]
        ]

    def dropped_lines(self) -> list[str]:
        """The dropped in words."""
        if not self.dropped_count:
            return []
        many = counted(self.dropped_count, "config")
        of = unit(self._plan.space.objective)
        lines = [f"fell back: {many} with next to no chance of being the best"]
        for config in self.dropped:
            behind = f"{100 * config.behind:+.2f} {of}, {counted(config.cells, 'cell')}"
            lines.append(f"  {behind}: {config.label}")
        return lines
