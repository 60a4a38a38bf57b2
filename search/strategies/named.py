"""Strategies by their names."""

from __future__ import annotations

from search.strategies import sequential
from search.strategies.board import Problem, typical_cells
from search.strategies.strategy import Policy, Strategy

# Difference between two scores that is not worth further cells, where no budget is set.
DEFAULT_STOP_MARGIN = 0.005
STRATEGIES = ("race", "grid", "random", "tpe", "halving", "wilcoxon")
# They take points of a range; the others go by a list of values.
SAMPLING = ("random", "tpe", "own")
# They search a range by points on it: these, and the race, whose model is smooth over them.
RANGED = ("race", *SAMPLING)
# Further rivals of the race: replayed on tables, not offered for a sweep.
PEERS = ("forgiving", "pooled", "tpe-wilcoxon", "hyperband", "gaussian-process")


def most_cells(
    name: str,
    problem: Problem,
    max_cells: int | None = None,
    stop_margin: float | None = None,
) -> int:
    """Most cells that a strategy with these settings spends."""
    every = problem.configs * problem.blocks
    if name == "race" and max_cells is None and stop_margin is None:
        max_cells = 2 * typical_cells(problem)
    return every if max_cells is None else min(max_cells, every)


def make_strategy(
    name: str,
    problem: Problem,
    *,
    seed: int = 0,
    max_cells: int | None = None,
    stop_margin: float | None = None,
) -> Strategy:
    """Make a strategy by its name.

    Args:
        name: One of STRATEGIES or PEERS.
        problem: Problem to solve.
        seed: Seed of the strategy's own random choices; cells have their own.
        max_cells: Cells that may be spent, trained or reused; None sets no limit.
        stop_margin: Margin in the score's units, for `race` alone: it ends once the probability
            that another config is better by more is under 5%. A race with neither this nor
            max_cells ends at a margin of 0.005, or after twice the cells that a race of its size
            usually needs: with very noisy cells no margin may ever be reached.

    Raises:
        ValueError: for an unknown name, a budget below 1, or a margin that is not above 0 or not
            for a race.
    """
    if stop_margin is not None and name != "race":
        raise ValueError(
            f"stop_margin ends a race only, got it for strategy {name!r}; leave it out."
        )
    usual = name == "race" and max_cells is None and stop_margin is None
    if usual:
        max_cells, stop_margin = most_cells(name, problem), DEFAULT_STOP_MARGIN
    policy = _policy(name, problem, seed, max_cells, stop_margin)
    return Strategy(problem, policy, max_cells, usual=usual)


def _policy(
    name: str, problem: Problem, seed: int, max_cells: int | None, stop_margin: float | None
) -> Policy:
    if name == "race":
        from search.strategies.race import Race

        return Race(problem, seed, max_cells, stop_margin)
    if name == "halving":
        from search.strategies.halving import Halving

        return Halving(problem, seed, max_cells)
    if name == "wilcoxon":
        from search.strategies.wilcoxon import Wilcoxon

        return Wilcoxon(problem, seed)
    if name == "grid":
        return sequential.grid(problem)
    if name == "random":
        return sequential.random(problem, seed)
    return _from_elsewhere(name, problem, seed, max_cells)


def _from_elsewhere(name: str, problem: Problem, seed: int, max_cells: int | None) -> Policy:
    if name == "tpe":
        from search.strategies.tpe import Tpe  # Optuna takes a second to import

        return Tpe(problem, seed)
    if name == "forgiving":
        from search.strategies.rivals.forgiving import Forgiving

        return Forgiving(problem, seed)
    if name == "pooled":
        from search.strategies.rivals.pooled import PooledRace

        return PooledRace(problem, seed, max_cells)
    if name == "tpe-wilcoxon":
        from search.strategies.rivals.tpe_wilcoxon import TpeWilcoxon

        return TpeWilcoxon(problem, seed)
    if name == "hyperband":
        from search.strategies.rivals.hyperband import Hyperband

        return Hyperband(problem, seed)
    if name == "gaussian-process":
        from search.strategies.rivals.gaussian_process import GaussianProcess

        return GaussianProcess(problem, seed)
    raise ValueError(f"No strategy named {name!r}. Known: {', '.join((*STRATEGIES, *PEERS))}.")
