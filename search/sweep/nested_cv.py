"""Nested cross-validation: what picking a config by this sweep is worth, checked the expensive way.

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
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from search.planning.plan import Plan
from search.results.document import summary
from search.results.outcome import Outcome
from search.results.standings import held_out_share
from search.spec import saved_spec
from search.stats import intervals as stats
from search.sweep import run as sweep
from search.sweep.results_handler import Intake, Watcher
from search.tracking.connect import Ledger
from search.tracking.open import open_ledger
from trainables.engine.contract import Scalar

FILE = "nested.json"

# Not what an inner sweep is, only how long and where it runs.
_MAY_DIFFER = {"budget", "resources", "tracking_uri", "experiment", "plugin"}


@dataclass(frozen=True)
class OuterFold:
    """One outer fold.

    Attributes:
        fold: Its number.
        sweep: Name of the inner sweep.
        config: What the inner sweep picked: the axes that have an effect.
        score: The pick's cell on this fold; None if it failed.
        inner_mean: The pick's mean in the inner sweep, which flatters it.
        inner_cells: Cells with a score in the inner sweep.
    """

    fold: int
    sweep: str
    config: Mapping[str, Scalar]
    score: float | None
    inner_mean: float
    inner_cells: int


@dataclass(frozen=True)
class Nested:
    """The outcome of a nested cross-validation; scores are fractions.

    Attributes:
        seed: The protocol's first seed, whose folds are put away one after another.
        folds: One after another.
        mean: Over the outer folds; None while one of their cells has failed.
        std: Standard deviation over them.
        ci_low: Lower end of the corrected 95% interval of the mean.
        ci_high: Upper end.
        winner_mean: The sweep's own winner on the same cells, which it was picked on; None where it
            lacks one.
    """

    seed: int
    folds: tuple[OuterFold, ...]
    mean: float | None
    std: float | None
    ci_low: float | None
    ci_high: float | None
    winner_mean: float | None

    def to_json(self) -> dict[str, Any]:
        """The `nested` of the leaderboard document."""
        return {**asdict(self), "folds": [asdict(fold) for fold in self.folds]}


def inner_plan(plan: Plan, fold: int) -> Plan:
    """The same sweep without the rows that the protocol's first seed holds out in a fold."""
    spec = plan.spec.model_copy(
        update={
            "name": f"{plan.spec.name}-nested-{fold}",
            "nested": False,
            "outer": (plan.spec.seeds[0], fold),
        }
    )
    return replace(plan, spec=spec, task=replace(plan.task, split=spec.split))


def inner_plans(plan: Plan) -> list[Plan]:
    """The inner sweeps, one an outer fold.

    Raises:
        ValueError: for a protocol without folds.
    """
    if plan.spec.folds is None:
        raise ValueError(f"nested wants folds, got holdout={plan.spec.holdout}.")
    return [inner_plan(plan, fold) for fold in range(plan.spec.folds)]


def check_winner(outcome: Outcome, watcher: Watcher) -> Outcome:
    """Run or finish a sweep's nested cross-validation.

    Args:
        outcome: Of the sweep itself.
        watcher: Told what happens.

    Returns:
        The outcome with its nested score; without one, and not complete, if an inner sweep's
        budget ended before a config had all its cells.

    Raises:
        SweepError: as `sweep.run`.
        KeyboardInterrupt: if interrupted; `resume --nested` goes on from the ledger.
    """
    plan = outcome.plan
    picks: list[tuple[Plan, Outcome, int]] = []
    for fold, inner in enumerate(inner_plans(plan)):
        watcher.nested(plan, fold)
        with open_ledger(plan.spec.tracking_uri, plan.spec.experiment) as ledger:
            sweep_id = _started(ledger, inner)
        done = sweep.run(inner.spec, plan=inner, sweep_id=sweep_id, watcher=watcher)
        if not done.complete or done.standings.winner is None:
            return replace(outcome, complete=False, seconds=outcome.seconds + done.seconds)
        picks.append((inner, done, done.standings.winner))
        outcome = replace(outcome, seconds=outcome.seconds + done.seconds)
    pairs = [
        (pick, plan.blocks.index((plan.spec.seeds[0], fold)))
        for fold, (_, _, pick) in enumerate(picks)
    ]
    return _scored(outcome, picks, pairs, watcher)


def read(ledger: Ledger, sweep_id: str) -> dict[str, Any] | None:
    """The nested score that a sweep keeps, as `Nested.to_json` gave it; None without one.

    Raises:
        LedgerError: if MLflow cannot be reached.
    """
    kept = ledger.file(sweep_id, FILE)
    return None if kept is None else dict(json.loads(kept))


def _started(ledger: Ledger, inner: Plan) -> str | None:
    """Run id of this inner sweep if it was started before."""
    wanted = inner.spec.model_dump(mode="json", exclude=_MAY_DIFFER)
    for record in ledger.sweeps():
        if record.name != inner.spec.name or record.tags.get("family") != inner.family:
            continue
        spec = saved_spec(record.name, record.spec_json["spec"])
        if spec.model_dump(mode="json", exclude=_MAY_DIFFER) == wanted:
            return record.id
    return None


class _Listed:
    """Asks for a list of cells, each once: what `sweep.train_cells` is given instead of a race."""

    def __init__(self, pairs: list[tuple[int, int]]) -> None:
        self._open = list(pairs)
        self._underway = set(pairs)

    @property
    def done(self) -> bool:
        """Whether every cell has been told."""
        return not self._underway

    def afford(self, cells: int) -> None:
        """Nothing to plan: these cells and no others are wanted."""

    def ask(self, n: int) -> list[tuple[int, int]]:
        """Up to n of the cells not asked for yet."""
        asked, self._open = self._open[:n], self._open[n:]
        return asked

    def tell(self, config: int, block: int, score: float | None) -> None:
        """A cell is through, whatever it gave."""
        self._underway.discard((config, block))


def _scored(
    outcome: Outcome,
    picks: list[tuple[Plan, Outcome, int]],
    pairs: list[tuple[int, int]],
    watcher: Watcher,
) -> Outcome:
    """Train the outer cells that the sweep has not, and put the score on record."""
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
            asker = _Listed(missing)
            intake = Intake(plan, table, ledger, outcome.sweep_id, asker.tell, watcher)
            complete = not missing or sweep.train_cells(
                plan, asker, intake, outcome.sweep_id, watcher
            )
            if missing:
                standings = sweep.judged(plan, table, ledger, outcome.sweep_id)
            if complete:
                nested = _nested(plan, outcome, picks, pairs).to_json()
                text = json.dumps(nested, indent=2)
                ledger.attach(outcome.sweep_id, {FILE: text})
                status = "FINISHED"
        finally:
            watcher.closed()
            ended = summary(plan, table, standings, nested, outcome.stopped)
            ledger.finish_sweep(outcome.sweep_id, status, ended)
    return replace(outcome, standings=standings, complete=complete, nested=nested)


def _nested(
    plan: Plan,
    outcome: Outcome,
    picks: list[tuple[Plan, Outcome, int]],
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
    if whole and len(scores) >= stats.FEWEST_FOR_INTERVAL:
        interval = stats.corrected_interval(scores, held_out_share(plan))
    return Nested(
        seed=plan.spec.seeds[0],
        folds=folds,
        mean=float(scores.mean()) if whole else None,
        std=float(scores.std(ddof=1)) if whole else None,
        ci_low=interval.low if interval else None,
        ci_high=interval.high if interval else None,
        winner_mean=float(own.mean()) if np.isfinite(own).all() else None,
    )
