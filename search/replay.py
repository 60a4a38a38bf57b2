"""Judge strategies on tables: finished exhaustive sweeps, replayed instead of trained.

A table holds more seeds than a protocol uses. Each replay deals some of them to the protocol; the
others are the truth by which the pick is judged, so that a strategy cannot win by the luck of the
cells that it saw, and exhaustive search has a regret of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from search.race import Strategy, make_strategy
from search.score_table import ScoreTable
from search.strategies.board import FloatArray, Problem

EXHAUSTIVE = "exhaustive"

# Makes a strategy for a problem: (problem, seed, max_cells).
Player = Callable[[Problem, int, int], Strategy]


@dataclass(frozen=True, eq=False)
class Deal:
    """One replay's share of a table.

    Attributes:
        problem: With the protocol's blocks only.
        scores: What the strategy may see, float (configs, blocks).
        truth: Mean over the seeds that it may not, float (configs,).
    """

    problem: Problem
    scores: FloatArray
    truth: FloatArray

    def regret(self, config: int | None) -> float:
        """How much better the best config's truth is; nan when nothing was picked."""
        if config is None:
            return float("nan")
        truth = self.truth * self.problem.sign
        return float(truth.max() - truth[config])

    def exhaustive(self) -> int:
        """What exhaustive search picks: the best mean over all blocks."""
        means = self.scores.mean(axis=1) * self.problem.sign  # nan where a cell is missing
        return int(np.nanargmax(means))


@dataclass(frozen=True)
class Replay:
    """One strategy's run on one deal; the regret is in the score's own units."""

    regret: float
    cells: int
    complete: int
    seconds_per_batch: float


def deal(table: ScoreTable, rng: np.random.Generator, seeds: int = 4) -> Deal:
    """Deal so many seeds to the protocol, in a random order of blocks; the rest is the truth.

    Raises:
        ValueError: when no seed is left for the truth.
    """
    if not 0 < seeds < len(table.seeds):
        raise ValueError(
            f"table {table.name!r} has {len(table.seeds)} seeds; a protocol of {seeds} must leave "
            "at least 1 for the truth, and take at least 1. Deal fewer, or add seeds to the table."
        )
    order = rng.permutation(len(table.seeds))
    seen = table.scores[:, order[:seeds]].reshape(table.problem.configs, -1)
    hidden = table.scores[:, order[seeds:]].reshape(table.problem.configs, -1)
    # A config that fails on fresh seeds too is the worst that one could pick.
    worst = np.nanmin(hidden * table.problem.sign) * table.problem.sign
    truth = np.where(np.isfinite(hidden).all(axis=1), hidden.mean(axis=1), worst)
    blocks = rng.permutation(seen.shape[1])
    return Deal(replace(table.problem, blocks=len(blocks)), seen[:, blocks], truth)


def play(dealt: Deal, strategy: Strategy, batch: int = 16) -> Replay:
    """Run a strategy on a deal to its end, `batch` cells at a time."""
    batches, began = 0, time.perf_counter()
    while cells := strategy.ask(batch):
        batches += 1
        for config, block in cells:
            score = float(dealt.scores[config, block])
            strategy.tell(config, block, score if np.isfinite(score) else None)
    return Replay(
        regret=dealt.regret(strategy.winner()),
        cells=strategy.spent,
        complete=int(strategy.board.complete().sum()),
        seconds_per_batch=(time.perf_counter() - began) / max(batches, 1),
    )


def judge(
    table: ScoreTable,
    players: Sequence[str] | Mapping[str, Player],
    *,
    shares: Sequence[float] = (0.03,),
    replays: int = 50,
    seeds: int = 4,
    batch: int = 16,
    seed: int = 0,
) -> dict[str, Any]:
    """Regret of strategies by share of cells, over many deals; all meet the same deals.

    Args:
        table: What is replayed.
        players: Names for `make_strategy`, or names with functions that make a strategy.
        shares: Budgets, as shares of the protocol's cells; the last one is the headline.
        replays: Deals.
        seeds: Seeds that a deal's protocol gets.
        batch: Cells asked for at a time.
        seed: Of the deals and, with the deal's number, of the strategies.

    Returns:
        The document of `bench-strategies --json`: "strategies" maps each name, "exhaustive" among
        them, to cells_share, regret (median), regret_p90, replays and curve, a row [cells_share,
        median regret] for each budget.
    """
    if not isinstance(players, Mapping):
        players = {name: _named(name) for name in players}
    deals = [deal(table, np.random.default_rng((seed, i)), seeds) for i in range(replays)]
    cells = deals[0].scores.size
    best = [dealt.regret(dealt.exhaustive()) for dealt in deals]
    documents = {EXHAUSTIVE: _document([(1.0, np.array(best))])}
    for name, player in players.items():
        rows = []
        for share in shares:
            played = [
                play(dealt, player(dealt.problem, i, round(share * cells)), batch)
                for i, dealt in enumerate(deals)
            ]
            spent = float(np.mean([one.cells for one in played])) / cells
            rows.append((spent, np.array([one.regret for one in played])))
        documents[name] = _document(rows)
    return {
        "table": table.name,
        "configs": table.problem.configs,
        "blocks": deals[0].problem.blocks,
        "strategies": documents,
    }


def _named(name: str) -> Player:
    return lambda problem, seed, cells: make_strategy(name, problem, seed=seed, max_cells=cells)


def _document(rows: Sequence[tuple[float, FloatArray]]) -> dict[str, Any]:
    # Nothing picked is as bad as it gets: it must not vanish from a median.
    share, regrets = rows[-1][0], np.where(np.isnan(rows[-1][1]), np.inf, rows[-1][1])
    return {
        "cells_share": share,
        "regret": _finite(np.median(regrets)),
        "regret_p90": _finite(np.quantile(regrets, 0.9, method="higher")),
        "replays": len(regrets),
        "curve": [
            [spent, _finite(np.median(np.where(np.isnan(row), np.inf, row)))] for spent, row in rows
        ],
    }


def _finite(value: np.floating[Any]) -> float | None:
    return float(value) if np.isfinite(value) else None
