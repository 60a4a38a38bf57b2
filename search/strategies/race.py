"""The race: cells go where they may still change the winner.

Opening: see opening.py. Middle: top-two Thompson sampling (Russo, Simple Bayesian Algorithms for
Best-Arm Identification, 2016). Each draw of the joint posterior (model/surrogate.py) names a
winner; cells go to those winners, and in half of the leader's draws to its strongest rival. So
cells follow the probability of being best. A config is dropped by not being proposed any more; no
test drops it. Final: the leaders are filled up to all blocks, where their comparison is paired and
no cell is left to learn from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from search.arrays import BoolArray, FloatArray, IntArray
from search.strategies.board import ASKED, FAILED, OPEN, TOLD, Board, Problem
from search.strategies.budget import Budget, TimeLeft, last_seat, seats
from search.strategies.model.belief import Belief
from search.strategies.model.surrogate import Believer
from search.strategies.opening import Opening

_STOP_PROBABILITY = 0.05
_STOP_DRAWS = 256
# Measured on synthetic tables of 100 to 4,900 configs: flat around these values.
_FINAL_SHARE = 0.3
_FINALISTS = (3, 15)
# Of the cells that the references leave: a final of three takes all that a small race has.
_MOST_FINAL = 0.7
_EQUAL = 0.01  # of the margin
_UNTIMED = 2  # cells of a config of which none was timed
_BATCH_SHARE, _LEAST_BATCH = 1 / 3, 6
# Draws are made of so many configs: of more, those with the highest mean and so many deviations.
_MOST_DRAWN, _REACH = 4_000, 3.0


@dataclass(frozen=True, eq=False)
class _Standing:
    """Standing of the configs after the cells told.

    Attributes:
        belief: Posterior of the scores.
        fit: Mask of configs that may still win, (configs,).
        good: Posterior means, more being better, (configs,).
        ranked: Those that may still win, best first.
        unopened: Cells that each config lacks, (configs,).
        price: Price of one of them, (configs,).
        cost: Price of all of them, (configs,).
        waits: What slots may wait for the last one, as a price, (configs,).
    """

    belief: Belief
    fit: BoolArray
    good: FloatArray
    ranked: IntArray
    unopened: IntArray
    price: FloatArray
    cost: FloatArray
    waits: FloatArray


class Race:
    """Top-two Thompson sampling over a surrogate, with a final among the leaders.

    Args:
        problem: Problem to solve.
        seed: Seed of the opening and of the posterior draws.
        max_cells: Budget, part of it reserved for the final; None sets no limit.
        stop_margin: Margin in the score's units. The race ends once the probability that another
            config is better by more is under 5% and the leaders hold every block; None goes on
            until `max_cells`.

    Raises:
        ValueError: when stop_margin is not positive.
    """

    def __init__(
        self,
        problem: Problem,
        seed: int,
        max_cells: int | None = None,
        stop_margin: float | None = None,
    ) -> None:
        if stop_margin is not None and not stop_margin > 0:
            raise ValueError(f"stop_margin must be above 0, got {stop_margin}.")
        self._problem = problem
        self._seed = seed
        self._stop_margin = stop_margin
        self._opening = Opening(problem, seed)
        # Earlier sweeps say which cells to train, and nothing of who wins or when it is enough.
        self._guided = Believer(problem)
        alone = replace(problem, earlier=None)
        self._alone = self._guided if problem.earlier is None else Believer(alone)
        self._budget = Budget(problem, self._guided.features, max_cells)

    def afford(self, cells: int, time: TimeLeft | None = None) -> None:
        """Upper bound on total cells, within which the final must fit.

        With the training time that is left, cells are paid in seconds: the final must fit into
        these, and of two configs that are as likely to win the cheap one gets more cells.
        """
        self._budget.afford(cells, time)

    def seconds(self, board: Board) -> FloatArray | None:
        """Likely seconds of each config's cells; None before one was timed."""
        return self._budget.seconds(board)

    @property
    def _finalists(self) -> int:
        problem = self._problem
        horizon = self._budget.horizon
        many = int(np.clip(round(_FINAL_SHARE * horizon / problem.blocks), *_FINALISTS))
        # Cells that time allows are a guess, and a short final may complete nobody; where there are
        # cells for all, a final takes none from anybody.
        if self._budget.estimated or horizon >= problem.configs * problem.blocks:
            return many
        free = horizon - len(problem.floor) * problem.blocks
        return max(min(many, int(_MOST_FINAL * free / problem.blocks)), 1)

    def propose(self, board: Board, limit: int) -> IntArray:
        """Cells of the phase that the board is in, (cells, 2)."""
        price = self._budget.prices(board)
        left = self._budget.left(board, price)
        opening = self._opening.cells(board, self._budget.horizon, limit)
        if opening is not None:
            # Of the time left, what completes a config stays.
            paid = self._budget.within(opening, price, left - self._problem.blocks + 1)
            if len(paid) or not board.count(TOLD):
                return paid if len(paid) else opening
        standing = self._stand(board, price)
        top = standing.ranked[: self._finalists]
        spare = left - float(standing.cost[top].sum() + standing.waits[top].max(initial=0.0))
        if spare <= 0:
            return self._final(board, standing, left, self._part(board, limit, left))
        return self._middle(board, standing, self._part(board, limit, spare))

    def _stand(self, board: Board, price: FloatArray) -> _Standing:
        belief, fit = self._guided.belief(board), self._fit(board)
        good = np.where(fit, belief.mean * self._problem.sign, -np.inf)
        ranked = np.argsort(-good, kind="stable")[: int(fit.sum())]
        unopened = board.per_config(OPEN)
        cost = unopened * price
        waits = self._budget.waits(cost, price)
        return _Standing(belief, fit, good, ranked, unopened, price, cost, waits)

    def _final(self, board: Board, standing: _Standing, left: float, limit: int) -> IntArray:
        """Cells that complete the leaders, as many as can be."""
        budget, ranked, cost, most = self._budget, standing.ranked, standing.cost, self._finalists
        unopened = standing.unopened
        chosen = seats(ranked, cost, left, most, standing.waits)
        if budget.timed and (unopened[chosen] > 0).sum() == 1:
            lacking = ranked[unopened[ranked] > 0]
            chosen = last_seat(
                standing.belief, standing.good, lacking, cost, left, most, standing.waits
            )
        if not unopened[chosen].any():
            chosen = ranked[:most]  # the rest completes nobody, but still shows who leads
        counts = unopened[chosen]
        if budget.timed:
            # What a config takes that has no cell is a guess: a first one tells.
            counts = np.where(board.timed[chosen] > 0, counts, np.minimum(counts, _UNTIMED))
        return self._opening.pick(board, chosen, counts, limit)

    def _middle(self, board: Board, standing: _Standing, limit: int) -> IntArray:
        """Cells that may change the winner; the leaders' last ones else."""
        belief, good, ranked = standing.belief, standing.good, standing.ranked
        fit, unopened, top = standing.fit, standing.unopened, ranked[: self._finalists]
        among = self._contenders(belief, good, ranked)
        rng = np.random.default_rng((self._seed, 2, board.count(ASKED, TOLD, FAILED)))
        coming = board.state == ASKED
        draws = belief.expecting(board, coming).draw(self._draws(limit), rng, among)
        draws *= self._problem.sign
        draws[~fit[among]] = -np.inf
        leader = int(ranked[0]) if len(ranked) else -1
        decided = not len(ranked) or self._decided(draws, int(np.searchsorted(among, leader)))
        if decided and len(ranked) and self._alone is not self._guided:
            own = self._alone.belief(board).draw(_STOP_DRAWS, rng, among) * self._problem.sign
            own[~fit[among]] = -np.inf
            decided = self._decided(own, int(own.mean(axis=1).argmax()))
        if decided:
            fresh = self.untried(board, limit)
            if len(fresh):
                return fresh
            wins = np.bincount(draws.argmax(axis=0), minlength=len(among)) / draws.shape[1]
            likely = np.isin(top, among[wins > _STOP_PROBABILITY])
            # Of configs that are as good as equal the one that is nearest to its last cell.
            equal = ranked[good[ranked] >= good[leader] - _EQUAL * (self._stop_margin or 0.0)]
            first = equal[np.argmin(unopened[equal])]
            finalists = np.concatenate([[first], top[likely & (top != first)]])
            return self._opening.pick(board, finalists, unopened[finalists], limit)
        # In a large batch a config's cells may no more than double: its first ones may unmask it.
        most = self._problem.blocks - unopened + 1
        most[board.per_config(FAILED) > board.per_config(TOLD)] = 1
        named, counts = _top_two(draws, standing.price[among], rng)
        named = among[named]
        rest = ranked[~np.isin(ranked, named)]
        # Where the draws name too few that are open, the next in rank follow.
        order = np.concatenate([named, rest])
        counts = np.concatenate([np.minimum(counts, most[named]), np.ones(len(rest), np.int64)])
        cells = self._opening.pick(board, order, counts, limit)
        return cells[: max(len(self._budget.within(cells, standing.price, limit)), 1)]

    def untried(self, board: Board, limit: int) -> IntArray:
        """Opening cells for axis values that no cell has yet, (cells, 2)."""
        return self._opening.untried(board, self._budget.horizon, limit)

    def reason(self, board: Board) -> str:
        """Reason for the end, to follow "stopped because"."""
        if self._stop_margin is None:
            return "the leaders have all their cells"
        return (
            "another config is better by more than "
            f"{100 * self._stop_margin:.2f} {board.problem.unit} with a probability under 5%"
        )

    def winner(self, board: Board) -> int | None:
        """Config with the best mean of score and posterior mean.

        It is one of those that can win, see `Board.whole`.

        Not always the one with the highest score: a lone peak among poor neighbours is more often
        luck, and the posterior mean takes that luck off. But the posterior leans on the model, and
        no model of a real table is right. On three real tables the mean of both was within 0.01
        points of the better of the two, which neither was (tests/benchmarks/regret_table.py).
        """
        whole = np.flatnonzero(board.whole())
        if not len(whole):
            return None
        good = (self._alone.belief(board).mean + board.whole_means())[whole] * self._problem.sign
        return int(whole[np.argmax(good)])

    def _fit(self, board: Board) -> BoolArray:
        """Mask of configs that may still win, (configs,).

        A cell that failed may be the machine's fault: a second one of the same config is tried.
        """
        surplus = board.per_config(FAILED) - board.per_config(TOLD)
        return board.bearable() & (surplus <= 1)

    def _part(self, board: Board, limit: int, left: float) -> int:
        """Number of cells to hand out at once.

        Those under way and these make a third at most: cells of one large batch, picked without
        one another's scores, would leave nothing to those who know better. A slot that is free
        gets one all the same, or its time would be lost.
        """
        if not np.isfinite(left):
            return limit
        pending = board.count(ASKED)
        part = max(_LEAST_BATCH, int(_BATCH_SHARE * (left + pending))) - pending
        # What is left may be an estimate, and too low: it never ends a race.
        return int(max(min(limit, part, left), 1))

    def _contenders(self, belief: Belief, good: FloatArray, ranked: IntArray) -> IntArray:
        """Configs that draws are made of, ascending.

        All of few; of many those that may be the best.
        """
        if len(good) <= _MOST_DRAWN:
            return np.arange(len(good))
        spread = belief.deviations()
        reach = good + _REACH * spread
        last = np.argpartition(-reach, _MOST_DRAWN)[:_MOST_DRAWN]
        return np.union1d(last, ranked[: self._finalists])

    def _draws(self, limit: int) -> int:
        draws = max(64, 2 * min(limit, 256))
        return draws if self._stop_margin is None else max(draws, _STOP_DRAWS)

    def _decided(self, draws: FloatArray, leader: int) -> bool:
        if self._stop_margin is None:
            return False
        # Nobody beats the leader by the margin where the best of all does not.
        better = draws.max(axis=0) > draws[leader] + self._stop_margin
        return bool(better.mean() < _STOP_PROBABILITY)


def _top_two(
    draws: FloatArray, price: FloatArray, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Configs to measure, and how often.

    Args:
        draws: Joint draws of the scores, (configs, draws).
        price: Price of a cell of each config, (configs,).
        rng: Source of chance.
    """
    count = draws.shape[1]
    winners = draws.argmax(axis=0)
    leader = int(np.bincount(winners).argmax())
    # In half of the draws the leader stands aside, so that its rivals are measured too.
    aside = np.flatnonzero((winners == leader) & (rng.random(count) < 0.5))
    rivals = draws[:, aside]
    rivals[leader] = -np.inf
    winners[aside] = rivals.argmax(axis=0)
    # The variance of a difference falls soonest with cells in proportion to the root of 1 / price.
    cheap = np.sqrt(price[winners].min() / price[winners])
    if (cheap < 1).any():
        winners = winners[rng.random(count) < cheap]
    configs, first_at, counts = np.unique(winners, return_index=True, return_counts=True)
    order = np.argsort(first_at)
    return configs[order], counts[order]
