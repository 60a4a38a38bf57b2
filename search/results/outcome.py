"""Result of a sweep: its plan, scores and standings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from search.errors import InputError
from search.planning.plan import Plan
from search.results.earlier import Weighed
from search.results.score_matrix import ScoreMatrix
from search.results.standings import Standings
from trainables.engine.contract import Scalar

if TYPE_CHECKING:
    import pandas as pd

Fault = Callable[[str, Mapping[str, Scalar]], str | None]
"""From a trainable's name and a config to what keeps it from being used; None if nothing does."""


def _no_fault(_trainable: str, _config: Mapping[str, Scalar]) -> None:
    return None


@dataclass(frozen=True)
class SweepResult:
    """Result of a run.

    Attributes:
        sweep_id: MLflow run id of the sweep.
        plan: Plan of the sweep.
        table: The scores.
        standings: The configs, best first.
        complete: False when the time ended before the strategy was done.
        seconds: Wall time of this run.
        nested: The nested score, see search/sweep/nested_cv.py; None without one.
        stopped: Why it ended, as the end of "stopped because ..."; None while it goes on.
        prior: Earlier sweeps that guided it, with what they weighed.
    """

    sweep_id: str
    plan: Plan
    table: ScoreMatrix
    standings: Standings
    complete: bool
    seconds: float
    nested: dict[str, Any] | None = None
    stopped: str | None = None
    prior: tuple[Weighed, ...] = ()

    def frame(self) -> pd.DataFrame:
        """The configs with a score as a pandas frame, best first.

        Its columns are the axes, then the figures as fractions. An axis without effect in a config
        is missing there. `gain` is paired, over the baseline.
        """
        import pandas as pd

        plan = self.plan
        rows = [
            {
                **{axis.name: None for axis in plan.space.axes},
                **plan.axes_of(row.config),
                "name": plan.names.get(row.config),
                "mean": row.mean,
                "std": row.std,
                "ci_low": row.ci_low,
                "ci_high": row.ci_high,
                "cells": row.cells,
                "p_best": row.p_best,
                "gain": row.delta,
                "gain_low": row.delta_low,
                "gain_high": row.delta_high,
                "status": row.status,
            }
            for row in self.standings.rows
        ]
        frame = pd.DataFrame(rows)
        frame.index = pd.RangeIndex(1, len(rows) + 1, name="rank")
        return frame

    def cells(self) -> pd.DataFrame:
        """The cells with a score as a pandas frame.

        Its columns are the axes, seed, fold, score and seconds.
        """
        import pandas as pd

        plan, table = self.plan, self.table
        rows = [
            {
                **{axis.name: None for axis in plan.space.axes},
                **plan.axes_of(config),
                "seed": plan.blocks[block][0],
                "fold": plan.blocks[block][1],
                "score": float(table.scores[config, block]),
                "seconds": float(table.seconds[config, block]),
            }
            for config, block in np.argwhere(np.isfinite(table.scores)).tolist()
        ]
        return pd.DataFrame(rows)

    def config_at(self, rank: int, fault: Fault = _no_fault) -> int:
        """Index of the config at a rank of the leaderboard.

        Args:
            rank: Its place; 1 is the best.
            fault: Why a config cannot be used so; by default every one can.

        Raises:
            InputError: if there is no such place, or its config has a fault; the message names the
                best config that has none.
        """
        plan, rows = self.plan, self.standings.rows
        if not rows:
            raise InputError(f"Sweep {plan.spec.name!r} has no finished cell yet.")
        if not 1 <= rank <= len(rows):
            raise InputError(f"--rank must be from 1 to {len(rows)}, got {rank}.")
        config = rows[rank - 1].config
        reason = fault(plan.space.trainable, plan.configs[config])
        if reason is None:
            return config
        sound = (
            place
            for place, row in enumerate(rows, start=1)
            if fault(plan.space.trainable, plan.configs[row.config]) is None
        )
        other = next(sound, None)
        hint = "" if other is None else f" The best config without that fault: --rank {other}."
        raise InputError(f"{plan.label(config)}: {reason}{hint}")
