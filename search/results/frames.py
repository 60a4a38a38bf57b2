"""A sweep's results as pandas frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from search.results.outcome import Outcome


def configs(outcome: Outcome) -> pd.DataFrame:
    """A row a config with a score, best first: its axes, then its figures as fractions.

    An axis without effect in a config is missing there. `gain` is paired, over the baseline.
    """
    import pandas as pd

    plan = outcome.plan
    rows: list[dict[str, Any]] = []
    for row in outcome.standings.rows:
        rows.append(
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
        )
    frame = pd.DataFrame(rows)
    frame.index = pd.RangeIndex(1, len(rows) + 1, name="rank")
    return frame


def cells(outcome: Outcome) -> pd.DataFrame:
    """A row a cell with a score: its axes, seed, fold, score and seconds."""
    import pandas as pd

    plan, table = outcome.plan, outcome.table
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
