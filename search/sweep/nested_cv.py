"""Nested cross-validation: the score of the whole search procedure.

For each outer fold, of the protocol's first seed only, an inner sweep over the remaining rows, with
the same space, strategy, budget and protocol, picks a config. That config's cell (first seed, outer
fold) of the sweep itself, trained on just those remaining rows and scored on rows that no choice
ever saw, is the fold's score. Their mean is no config's score but the procedure's: of searching
like this and taking what wins (Varma and Simon, Bias in error estimation when using
cross-validation for model selection, BMC Bioinformatics 7, 2006).

An inner sweep is an ordinary sweep, NAME-nested-0 and so on: resumable, and its cells are in the
ledger once.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from search.ledger.ledger import Ledger
from search.planning.inner_plans import inner_plans, is_record_of
from search.planning.plan import Plan
from search.results.document import summary
from search.results.nested_score import FILE, Nested, OuterFold
from search.results.outcome import SweepResult
from search.stats import intervals
from search.strategies.budget import TimeLeft
from search.sweep.callback import Callback
from search.sweep.ranking import ranked
from search.sweep.results_handler import ResultHandler
from search.sweep.train_sweep import train_cells, train_sweep
from search.tracking.open import open_ledger


def check_winner(outcome: SweepResult, callback: Callback) -> SweepResult:
    """Run or finish a sweep's nested cross-validation.

    Args:
        outcome: Result of the sweep itself.
        callback: Told what happens.

    Returns:
        The outcome with its nested score; without one, and not complete, if an inner sweep's
        budget ended before a config had all its cells.

    Raises:
        SweepError: as `search.sweep.run.run`.
        KeyboardInterrupt: if interrupted; `resume --nested` goes on from the ledger.
    """
    plan = outcome.plan
    picks: list[tuple[Plan, SweepResult, int]] = []
    for fold, inner in enumerate(inner_plans(plan)):
        callback.on_outer_fold(plan, fold)
        with open_ledger(plan.spec.tracking_uri, plan.spec.experiment) as ledger:
            sweep_id = _started(ledger, inner)
        done = train_sweep(inner, sweep_id, callback)
        if not done.complete or done.standings.winner is None:
            return replace(outcome, complete=False, seconds=outcome.seconds + done.seconds)
        picks.append((inner, done, done.standings.winner))
        outcome = replace(outcome, seconds=outcome.seconds + done.seconds)
    pairs = [
        (pick, plan.blocks.index((plan.spec.seeds[0], fold)))
        for fold, (_, _, pick) in enumerate(picks)
    ]
    return _scored(outcome, picks, pairs, callback)


def _started(ledger: Ledger, inner: Plan) -> str | None:
    """Run id of this inner sweep if it was started before."""
    return next((record.id for record in ledger.sweeps() if is_record_of(record, inner)), None)


class _Listed:
    """Cell source that asks for a fixed list of cells."""

    def __init__(self, pairs: list[tuple[int, int]]) -> None:
        self._open = list(pairs)
        self._underway = set(pairs)

    @property
    def done(self) -> bool:
        """True once every cell has been told."""
        return not self._underway

    def afford(self, cells: int, time: TimeLeft | None = None) -> None:
        """Nothing to plan: these cells and no others are wanted."""

    def seconds_of(self, config: int) -> float | None:
        """None: what cells take is not kept."""
        return None

    def ask(self, n: int, slots: int = 1, seconds: float | None = None) -> list[tuple[int, int]]:
        """Up to n of the cells not asked for yet.

        The last ones are dealt to all slots.
        """
        share = min(n, -(-len(self._open) // slots))
        pairs, self._open = self._open[:share], self._open[share:]
        return pairs

    def tell(
        self, config: int, block: int, score: float | None, seconds: float | None = None
    ) -> None:
        """A cell is through, whatever it gave."""
        self._underway.discard((config, block))


def _scored(
    outcome: SweepResult,
    picks: list[tuple[Plan, SweepResult, int]],
    pairs: list[tuple[int, int]],
    callback: Callback,
) -> SweepResult:
    """Train the outer cells that are missing; record the nested score."""
    plan, table = outcome.plan, outcome.table
    missing = [
        pair
        for pair in dict.fromkeys(pairs)
        if not np.isfinite(table.scores[pair]) and pair not in table.failures
    ]
    with open_ledger(plan.spec.tracking_uri, plan.spec.experiment) as ledger:
        ledger.known_cells(plan.family)  # so that their predictions are found for the correction
        ledger.resume_sweep(outcome.sweep_id)
        status, complete = "KILLED", False
        nested = None
        standings = outcome.standings
        try:
            source = _Listed(missing)
            handler = ResultHandler(plan, table, ledger, outcome.sweep_id, source.tell, callback)
            complete = not missing or train_cells(plan, source, handler, outcome.sweep_id, callback)
            if missing:
                standings = ranked(plan, table, ledger, outcome.sweep_id)
            if complete:
                nested = _nested(plan, outcome, picks, pairs).to_json()
                text = json.dumps(nested, indent=2)
                ledger.attach(outcome.sweep_id, {FILE: text})
                status = "FINISHED"
        finally:
            callback.on_end()
            ended = summary(plan, table, standings, nested, outcome.stopped, prior=outcome.prior)
            ledger.finish_sweep(outcome.sweep_id, status, ended)
    return replace(outcome, standings=standings, complete=complete, nested=nested)


def _nested(
    plan: Plan,
    outcome: SweepResult,
    picks: list[tuple[Plan, SweepResult, int]],
    pairs: list[tuple[int, int]],
) -> Nested:
    scores = np.array([outcome.table.scores[pair] for pair in pairs])
    folds = tuple(
        OuterFold(
            fold=fold,
            sweep=inner.spec.name,
            config=plan.axes_of(pick),
            score=float(scores[fold]) if np.isfinite(scores[fold]) else None,
            inner_mean=float(np.nanmean(done.table.scores[pick])),
            inner_cells=int(np.isfinite(done.table.scores).sum()),
        )
        for fold, (inner, done, pick) in enumerate(picks)
    )
    winner = outcome.standings.winner
    own = np.array(
        [np.nan if winner is None else outcome.table.scores[winner, b] for _, b in pairs]
    )
    whole = bool(np.isfinite(scores).all())
    interval = None
    if whole and len(scores) >= intervals.FEWEST_FOR_INTERVAL:
        interval = intervals.corrected_interval(scores, plan.test_share)
    return Nested(
        seed=plan.spec.seeds[0],
        folds=folds,
        mean=float(scores.mean()) if whole else None,
        std=float(scores.std(ddof=1)) if whole else None,
        ci_low=interval.low if interval else None,
        ci_high=interval.high if interval else None,
        winner_mean=float(own.mean()) if np.isfinite(own).all() else None,
    )
