"""Ranking of a sweep's configs, with the winner corrected by its predictions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from search.ledger.ledger import Ledger
from search.planning.plan import Plan
from search.results.earlier import Earlier, with_earlier
from search.results.oof_reader import gather
from search.results.score_matrix import ScoreMatrix
from search.results.standings import ROPE, Standings, rank
from search.spec.sweep_spec import OWN
from search.strategies.named import make_strategy
from search.strategies.strategy import Strategy
from search.sweep import own_strategy


def ranked(
    plan: Plan,
    table: ScoreMatrix,
    ledger: Ledger,
    sweep_id: str,
    *,
    strategy: Strategy | None = None,
    rope: float = ROPE,
) -> Standings:
    """Standings; the winner is corrected if its predictions are there.

    Args:
        plan: The sweep.
        table: Its scores.
        ledger: Ledger with its predictions.
        sweep_id: Its run id.
        strategy: Names the winner; None makes one and tells it the table.
        rope: Differences up to this size, either way, count as practically equal.
    """
    if strategy is None:
        strategy = strategy_of(plan)
        for config, block in np.argwhere(np.isfinite(table.scores)).tolist():
            strategy.tell(config, block, float(table.scores[config, block]))
        for pair in table.failures:
            strategy.tell(*pair, None)
    return rank(
        plan,
        table.scores,
        strategy.winner(),
        table.failed,
        pool=lambda configs: gather(ledger, sweep_id, plan, configs, part=True),
        rope=rope,
    )


def strategy_of(plan: Plan, earlier: Sequence[Earlier] = ()) -> Strategy:
    """A fresh strategy as the spec names it.

    Args:
        plan: The sweep.
        earlier: Earlier sweeps that guide a race.
    """
    spec = plan.spec
    if spec.strategy == OWN:
        return Strategy(plan.problem, own_strategy.policy_of(plan), spec.budget.max_cells)
    return make_strategy(
        spec.strategy,
        with_earlier(plan.problem, earlier),
        seed=spec.strategy_seed,
        max_cells=spec.budget.max_cells,
        stop_margin=spec.budget.stop_margin,
    )
