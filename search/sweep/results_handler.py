"""Handling of results in the driver: ledger, matrix, strategy, callback."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from search.arrays import IntArray
from search.execution.dispatch.cell_source import Claimed
from search.execution.failure_watch import FailureWatch
from search.ledger.payloads import Trained
from search.ledger.records import NOTE, LoggedCell
from search.planning.plan import Plan
from search.process import own_code
from search.results.answer import of_cell, of_config
from search.results.score_matrix import ScoreMatrix, tell_known
from search.results.standings import Standing, Standings, adjusted_means, mean_interval
from search.stats.intervals import Interval
from search.sweep.callback import Callback
from trainables.engine.contract import Cell, CellResult
from trainables.engine.keys import result_digest

if TYPE_CHECKING:
    from search.ledger.ledger import Ledger


# MLflow shows so many runs of a view at once.
_MOST_LEADERS = 100


def sweep_tags(plan: Plan) -> dict[str, str]:
    """MLflow tags that tie the runs of a sweep together."""
    return {
        "space": plan.spec.space,
        "data": Path(plan.spec.data.name).name,
        "model": Path(plan.spec.model).name,
        "strategy": plan.spec.strategy,
        "family": plan.family,
        **({"train_rows": str(plan.spec.train_rows)} if plan.spec.train_rows else {}),
    }


@dataclass
class ResultHandler:
    """Passes each result on to ledger, matrix, strategy and callback."""

    plan: Plan
    table: ScoreMatrix
    ledger: Ledger
    sweep_id: str
    tell: Callable[[int, int, float | None, float | None], None]
    callback: Callback
    _found: dict[str, LoggedCell] = field(default_factory=dict)
    _waited: bool = False
    _led: set[str] = field(default_factory=set)  # at an earlier end: it holds no longer

    @cached_property
    def _failures(self) -> FailureWatch:
        return FailureWatch(self.plan.configs, self.plan.blocks, self.table.scores)

    def halted(self) -> str | None:
        """Sentence on why no further cell may start; None while one may."""
        return self.ledger.halted or self.alike

    @property
    def alike(self) -> str | None:
        """Sentence on cells that fail alike, whatever their config; None without."""
        return self._failures.reason

    @cached_property
    def _tags(self) -> dict[str, str]:
        return sweep_tags(self.plan)

    def results(self, results: Sequence[tuple[tuple[int, int], CellResult]]) -> None:
        """Take results that came in together; the ledger has them first."""
        self.ledger.record([self._trained(pair, result) for pair, result in results])
        for pair, result in results:
            done = result.status == "done"
            score = result.metrics.get(self.plan.space.objective) if done else None
            self.table.put(pair, score, result.metrics)
            self.table.trained += 1
            if score is None:
                error = self.table.failures[pair] = result.error or self._without_score(result)
                # A loss that diverges is a config's own.
                if result.status != "diverged":
                    self._failures.see(pair, error)
            self.tell(*pair, score, result.metrics.get("seconds"))
            self.callback.on_cell(self.plan, self.table, pair, result)
            for suspect in self.table.compare(pair, result_digest(result)):
                self.callback.on_inert(self.plan, suspect)
        self.configs(touched=np.unique([pair[0] for pair, _ in results]))

    def _without_score(self, result: CellResult) -> str:
        """Reason why a result has no score."""
        if result.status != "done":
            return result.status
        return (
            f"the cell has no metric {self.plan.space.objective!r}; it has "
            f"{', '.join(sorted(result.metrics))}"
        )

    def claim(self, cells: Sequence[Cell]) -> Claimed:
        """Claim cells before their stack starts; another sweep may have them."""
        found, busy = self.ledger.claim(self.plan.family, [cell.key for cell in cells])
        self._found.update(found)
        if busy and not self._waited:
            self._waited = True
            self.callback.on_message(
                "Another sweep trains cells that this one needs: they are read from the ledger "
                "when they are done."
            )
        return Claimed(frozenset(found), frozenset(busy))

    def found(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Take cells that another sweep has trained meanwhile."""
        cells = {cell.key: cell for cell in map(self.plan.cell, pairs)}
        known = {key: self._found.pop(key) for key in cells}
        tell_known(self.plan, known.values(), self.table, self.tell, self.sweep_id)
        self.configs(touched=np.unique([pair[0] for pair in pairs]))

    def _trained(self, pair: tuple[int, int], result: CellResult) -> Trained:
        cell, identity = self.plan.cell(pair), self.plan.labels.whole(pair[0])
        return Trained(
            cell=cell,
            result=result,
            run_name=f"{self.plan.labels.short[pair[0]]} s{cell.seed} f{cell.fold}",
            tags={
                **self._tags,
                "sweep": self.sweep_id,
                "config": identity,
                # Workers have shown that they run it before their first cell.
                "code": own_code.numbers(),
                NOTE: of_cell(result, self.plan.space.objective, cell.seed, cell.fold, identity),
            },
        )

    def catch_up(self) -> None:
        """Update the runs of configs that lack cells of the ledger."""
        counts = np.isfinite(self.table.scores).sum(axis=1)
        written = self.ledger.config_metrics(self.sweep_id, ("cells", "p_best"))
        self._led = {config for config, metrics in written.items() if "p_best" in metrics}
        behind = [
            index
            for index in np.flatnonzero(counts).tolist()
            if written.get(self.plan.labels.whole(index), {}).get("cells") != counts[index]
        ]
        self.configs(touched=np.array(behind, np.int64))

    def show(self, standings: Standings) -> None:
        """Enter gain and P(best) of the leaders, and means that moved.

        A config that was stopped after one easy block must not lead MLflow's table.
        """
        there = np.isfinite(self.table.scores)
        moved = np.flatnonzero(there.any(axis=1) & ~there.all(axis=1))
        leaders = {row.config: _figures(row) for row in standings.rows[:_MOST_LEADERS]}
        leaders |= {
            row.config: _figures(row)
            for row in standings.rows[_MOST_LEADERS:]
            if self._led and self.plan.labels.whole(row.config) in self._led
        }
        self.configs(touched=np.union1d(moved, list(leaders)).astype(np.int64), more=leaders)

    def configs(
        self, touched: IntArray, more: Mapping[int, Mapping[str, float]] = MappingProxyType({})
    ) -> None:
        """Bring the runs of these configs up to date.

        Args:
            touched: Their indices.
            more: Further metrics, by index.
        """
        means = adjusted_means(self.plan, self.table.scores) if len(touched) else None
        for index in touched.tolist():
            row = self.table.scores[index]
            scores = row[np.isfinite(row)].tolist()
            interval = mean_interval(row, self.plan.test_share)
            mean = None if means is None or not scores else float(means[index])
            seconds = float(np.nansum(self.table.seconds[index]))
            self.ledger.record_config(
                self.sweep_id,
                self.plan.labels.whole(index),
                name=self.plan.labels.short[index],
                mean=mean,
                params=self.plan.space.active(self.plan.configs[index]),
                interval=None if interval is None else (interval.low, interval.high),
                scores=scores,
                seconds=seconds,
                tags=self._tags,
                note=of_config(
                    {"mean": mean, **_ends(interval, mean), **more.get(index, {})},
                    self.plan.space.objective,
                    cells=len(scores),
                    blocks=len(self.plan.blocks),
                    seconds=seconds,
                ),
                more=more.get(index),
            )


def _ends(interval: Interval | None, mean: float | None) -> dict[str, float]:
    """Ends of an interval around an adjusted mean."""
    if interval is None or mean is None:
        return {}
    moved = mean - interval.mean
    return {"ci_low": interval.low + moved, "ci_high": interval.high + moved}


def _figures(row: Standing) -> dict[str, float]:
    """Gain over the baseline and probability of being the best, if known."""
    figures = {"gain": row.delta, "p_best": row.p_best}
    return {name: value for name, value in figures.items() if value is not None}
