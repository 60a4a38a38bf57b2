"""Evidence of a sweep for its report, read from the ledger alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from search.arrays import FloatArray, IntArray
from search.errors import LedgerError, NoPredictionsError
from search.planning.plan import Plan
from search.report.figures.confusion import count
from search.results.document import of_outcome
from search.results.oof_reader import class_probabilities
from search.results.score_matrix import ScoreMatrix
from search.results.standings import ROPE, Standing, Standings
from search.results.sweep_labels import FILE, SweepLabels
from search.stats import intervals
from search.sweep.load import find, read
from search.tracking.open import open_ledger

if TYPE_CHECKING:
    from search.ledger.ledger import Ledger
    from search.ledger.records import LoggedCell, SweepRecord


# Metrics of a cell that say nothing of what it has learnt.
_COSTS = {"epoch", "seconds", "peak_memory_mib"}
# Losses of single steps, where cells keep them.
STEP_LOSSES = ("step_train_loss", "step_valid_loss")


@dataclass(frozen=True, eq=False)
class Curve:
    """Learning curve of a config, by epoch.

    Attributes:
        config: Index in the plan.
        values: By metric, float (cells, epochs); nan where a cell has no such epoch. Of
            `STEP_LOSSES` the second axis are steps.
    """

    config: int
    values: Mapping[str, FloatArray]


@dataclass(frozen=True, eq=False)
class Evidence:
    """A sweep and all that its report tells of it.

    Attributes:
        record: Its run in the ledger.
        plan: Plan of the sweep.
        table: The scores.
        standings: The configs, best first.
        document: Document of `leaderboard --json`.
        arrivals: Pairs (config, block) in the order in which their training ended, (cells, 2).
        rows: Rows of the data; None where the sweep kept no labels.
        classes: Class names by id; empty where the sweep kept no labels.
        confusions: Winner and baseline, where complete: number of held-out predictions of
            true class i said class j, over all cells, int64 (classes, classes), by config.
        confusion_note: Why there are none.
        curves: Learning curves of the winner and the baseline.
        metrics: By complete config the mean over its cells of every metric that all of them have,
            as MLflow has them: fractions, bits.
    """

    record: SweepRecord
    plan: Plan
    table: ScoreMatrix
    standings: Standings
    document: Mapping[str, Any]
    arrivals: IntArray
    rows: int | None
    classes: tuple[str, ...]
    confusions: Mapping[int, IntArray]
    confusion_note: str
    curves: tuple[Curve, ...]
    metrics: Mapping[int, Mapping[str, float]]

    @property
    def share(self) -> float:
        """Share of the rows that a block holds out."""
        return self.plan.test_share

    @property
    def sign(self) -> float:
        """Sign of the objective: 1 where high is good, else -1."""
        return self.plan.problem.sign

    def standing(self, config: int | None) -> Standing | None:
        """A config's place; None for one without a cell."""
        return next((row for row in self.standings.rows if row.config == config), None)

    @property
    def rival(self) -> int | None:
        """The config that is held against the baseline.

        The winner; where the baseline won, the best complete config beside it. None without one.
        """
        baseline = self.plan.baseline
        if self.standings.winner != baseline:
            return self.standings.winner
        others = (r.config for r in self.standings.rows if r.status in ("winner", "complete"))
        return next((config for config in others if config != baseline), None)

    @property
    def against(self) -> int | None:
        """Opponent of the rival: the baseline, else the runner-up."""
        if self.plan.baseline is not None:
            return self.plan.baseline
        complete = (r.config for r in self.standings.rows if r.status in ("winner", "complete"))
        return next((config for config in complete if config != self.rival), None)

    def gains(self, config: int, over: int) -> FloatArray:
        """Paired gains by block, positive is better, (blocks,); nan where missing."""
        scores = self.table.scores
        return np.asarray(self.sign * (scores[config] - scores[over]))

    @property
    def luck(self) -> float:
        """Selection bias of the winner's mean, positive; 0 without a correction."""
        correction, winner = self.standings.correction, self.standing(self.standings.winner)
        if correction is None or winner is None:
            return 0.0
        return float(self.sign * (winner.mean - correction.score))

    @property
    def seconds(self) -> float:
        """Training time of all cells, whichever sweep paid for them."""
        return float(np.nansum(self.table.seconds))

    @property
    def exhaustive_cells(self) -> int:
        """Cells of all configs on all blocks."""
        return int(self.table.scores.size)

    @property
    def exhaustive_seconds(self) -> float | None:
        """Estimated seconds of the whole grid, from the cells measured."""
        seconds, shapes = self.table.seconds, self.plan.problem.shapes
        measured = np.isfinite(seconds)
        if not measured.any():
            return None
        mean = float(seconds[measured].mean())
        total = 0.0
        for shape in np.unique(shapes):
            mine = shapes == shape
            own = seconds[mine][measured[mine]]
            total += mine.sum() * seconds.shape[1] * (float(own.mean()) if len(own) else mean)
        return total


def collect(tracking_uri: str, experiment: str, sweep: str, *, rope: float = ROPE) -> Evidence:
    """Read a sweep's evidence.

    Args:
        tracking_uri: URI of the ledger.
        experiment: Its name.
        sweep: Name, MLflow run id, or `latest`.
        rope: Differences up to this size, either way, count as practically equal.

    Raises:
        InputError: if there is no such sweep, or the ledger cannot be reached.
    """
    with open_ledger(tracking_uri, experiment) as ledger:
        record = find(ledger, sweep)
        known: dict[str, LoggedCell] = {}
        outcome = read(ledger, record, rope, known)
        plan, table, standings = outcome.plan, outcome.table, outcome.standings
        labels_file = ledger.file(record.id, FILE)
        truth = None if labels_file is None else SweepLabels.from_bytes(labels_file)
        confusions, note = _confusions(ledger, plan, standings, truth)
        return Evidence(
            record=record,
            plan=plan,
            table=table,
            standings=standings,
            document=of_outcome(outcome),
            arrivals=_arrivals(plan, known),
            rows=None if truth is None else len(truth.labels),
            classes=() if truth is None else truth.label_names,
            confusions=confusions,
            confusion_note=note,
            curves=_curves(ledger, plan, standings, known),
            metrics=_metrics(plan, standings, known),
        )


def _arrivals(plan: Plan, known: Mapping[str, LoggedCell]) -> IntArray:
    mine = [(cell.ended_ms, plan.keys[key]) for key, cell in known.items() if key in plan.keys]
    return np.array([pair for _, pair in sorted(mine)], np.int64).reshape(-1, 2)


def _chosen(plan: Plan, standings: Standings) -> list[int]:
    """The winner and the baseline, where their cells are complete."""
    complete = {row.config for row in standings.rows if row.status in ("winner", "complete")}
    candidates = (standings.winner, plan.baseline)
    return list(
        dict.fromkeys(config for config in candidates if config is not None and config in complete)
    )


def _confusions(
    ledger: Ledger, plan: Plan, standings: Standings, truth: SweepLabels | None
) -> tuple[dict[int, IntArray], str]:
    if truth is None:
        return {}, "the sweep kept no labels"
    matrices = {}
    for config in _chosen(plan, standings):
        keys = [plan.cell((config, block)).key for block in range(len(plan.blocks))]
        total = np.zeros((len(truth.label_names),) * 2, np.int64)
        try:
            for rows, probabilities in class_probabilities(ledger, keys, len(total)):
                total += count(truth.labels[rows], probabilities.argmax(axis=1), len(total))
        except (LedgerError, NoPredictionsError) as error:
            return {}, str(error)
        matrices[config] = total
    return matrices, "" if matrices else "no config has all its cells yet"


def _curves(
    ledger: Ledger, plan: Plan, standings: Standings, known: Mapping[str, LoggedCell]
) -> tuple[Curve, ...]:
    names = list(dict.fromkeys((plan.space.objective, "train_loss", "loss", *STEP_LOSSES)))
    curves = []
    for config in _chosen(plan, standings):
        keys = [plan.cell((config, block)).key for block in range(len(plan.blocks))]
        run_ids = [known[key].run_id for key in keys if key in known]
        points = ledger.curves([run_id for run_id in run_ids if run_id is not None], names)
        curves.append(Curve(config, {name: _grid([p[name] for p in points]) for name in names}))
    return tuple(curves)


def _metrics(
    plan: Plan, standings: Standings, known: Mapping[str, LoggedCell]
) -> dict[int, dict[str, float]]:
    metrics = {}
    for row in standings.rows:
        if row.status not in ("winner", "complete"):
            continue
        keys = [plan.cell((row.config, block)).key for block in range(len(plan.blocks))]
        cells = [known[key].metrics for key in keys if key in known]
        shared = set.intersection(*(set(cell) for cell in cells)) if cells else set()
        shared -= {*_COSTS, *STEP_LOSSES}
        metrics[row.config] = {
            name: float(np.mean([cell[name] for cell in cells])) for name in sorted(shared)
        }
    return metrics


def _grid(curves: Sequence[Sequence[tuple[int, float]]]) -> FloatArray:
    """Points (epoch from 1, value) as (cells, epochs)."""
    last = max((step for curve in curves for step, _ in curve), default=0)
    grid = np.full((len(curves), last), np.nan)
    for row, curve in enumerate(curves):
        for step, value in curve:
            if step >= 1:
                grid[row, step - 1] = value
    return grid


def interval(gains: FloatArray, share: float) -> intervals.Interval | None:
    """Corrected 95% interval of a mean gain; None under three cells.

    Args:
        gains: By block, nan where missing, (blocks,).
        share: Share of the rows that a block holds out.
    """
    mine = gains[np.isfinite(gains)]
    return (
        intervals.corrected_interval(mine, share)
        if len(mine) >= intervals.FEWEST_FOR_INTERVAL
        else None
    )


def data_label(plan: Plan) -> str:
    """Name of the data for readers, with the rows taken of them."""
    data = plan.spec.data
    path = Path(data.name)
    name = path.stem if path.suffix else path.name
    taken = [name]
    if data.parts == "train":
        taken.append("training part")
    if data.subset is not None:
        taken.append(f"{data.subset:,} rows drawn")
    if plan.spec.train_rows is not None:
        taken.append(f"{plan.spec.train_rows:,} training rows a cell")
    return ", ".join(taken)


def model_label(plan: Plan) -> str:
    """The model without its folder."""
    return Path(plan.spec.model).name
