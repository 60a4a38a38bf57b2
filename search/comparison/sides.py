"""A config of a sweep, as one side of a comparison."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from search.arrays import FloatArray
from search.errors import InputError, NoPredictionsError
from search.ledger.ledger import Ledger
from search.planning.plan import Plan
from search.results.oof_reader import class_probabilities
from search.results.outcome import SweepResult
from search.results.standings import Standing
from search.results.sweep_labels import FILE, SweepLabels
from search.stats.class_scores import class_scores
from search.sweep.load import find, read
from trainables.engine import registry


@dataclass(frozen=True, eq=False)
class Side:
    """One config of one sweep.

    Attributes:
        name: Words that it was asked for by.
        result: Result of its sweep.
        standing: Rank and figures of the config.
        labels: Labels of the sweep's rows; None where it kept none.
        luck: Selection bias of the config's mean, in the score's own units; 0 for a config that
            was not picked for its score.
    """

    name: str
    result: SweepResult
    standing: Standing
    labels: SweepLabels | None
    luck: float

    @property
    def plan(self) -> Plan:
        """Plan of its sweep."""
        return self.result.plan

    @property
    def config(self) -> int:
        """Index of the config in the plan."""
        return self.standing.config

    @property
    def label(self) -> str:
        """Short name of the config."""
        return self.plan.label(self.config)

    @property
    def data(self) -> str:
        """Name of its data."""
        return Path(self.plan.spec.data.name).name

    def keys(self) -> list[str]:
        """Keys of its cells, by block."""
        return [self.plan.cell((self.config, block)).key for block in range(len(self.plan.blocks))]


def side(ledger: Ledger, words: str, rope: float) -> Side:
    """Find one side of a comparison.

    Args:
        ledger: Ledger of the sweep.
        words: SWEEP for its winner, SWEEP:RANK for a place of its leaderboard, SWEEP:NAME for a
            reference config, SWEEP:baseline for what gains are measured against.
        rope: Differences up to this size, either way, count as practically equal.

    Raises:
        InputError: if there is no such sweep, config, or cell yet.
    """
    try:
        record, which = find(ledger, words), ""
    except InputError:
        sweep, colon, which = words.rpartition(":")
        if not colon or not sweep or not which:
            raise
        record = find(ledger, sweep)
    result = read(ledger, record, rope)
    rows = result.standings.rows
    if not rows:
        raise InputError(f"Sweep {result.plan.spec.name!r} has no finished cell yet.")
    standing = _place(result, which) if which else rows[0]
    file = ledger.file(record.id, FILE)
    picked = standing.config == result.standings.winner and not _is_reference(result, which)
    return Side(
        name=words,
        result=result,
        standing=standing,
        labels=None if file is None else SweepLabels.from_bytes(file),
        luck=result.standings.luck if picked else 0.0,
    )


def _is_reference(result: SweepResult, which: str) -> bool:
    """Tell whether a config was named before anything was trained."""
    return which == "baseline" or which in result.plan.names.values()


def _place(result: SweepResult, which: str) -> Standing:
    plan, rows = result.plan, result.standings.rows
    if which.isdecimal():
        if not 1 <= int(which) <= len(rows):
            raise InputError(
                f"A rank in sweep {plan.spec.name!r} must be from 1 to {len(rows)}, got {which}."
            )
        return rows[int(which) - 1]
    names = {name: config for config, name in plan.names.items()}
    if plan.baseline is not None:
        names.setdefault("baseline", plan.baseline)
    if which not in names:
        known = f"a rank{''.join(f', {name}' for name in names)}"
        raise InputError(
            f"Sweep {plan.spec.name!r} has no config {which!r}.{registry.hint(which, names)} "
            f"After the colon stands {known}."
        )
    standing = next((row for row in rows if row.config == names[which]), None)
    if standing is None:
        raise InputError(f"Config {which!r} of sweep {plan.spec.name!r} has no finished cell yet.")
    return standing


def scores_by(ledger: Ledger, one: Side, metric: str) -> FloatArray:
    """Scores of a side by block, in any metric; nan where missing.

    Raises:
        InputError: if no cell has the metric; names those that there are.
    """
    plan = one.plan
    if metric == plan.space.objective:
        return np.asarray(one.result.table.scores[one.config])
    blocks = {key: block for block, key in enumerate(one.keys())}
    values = np.full(len(blocks), np.nan)
    known: set[str] = set()
    for cell in ledger.cells(plan.family, None):
        block = blocks.get(cell.key)
        if block is not None and cell.status == "done":
            known.update(cell.metrics)
            values[block] = cell.metrics.get(metric, np.nan)
    if metric not in known:
        raise InputError(
            f"The cells of sweep {plan.spec.name!r} have no metric {metric!r}."
            f"{registry.hint(metric, known)} They have: {', '.join(sorted(known))}."
        )
    return values


def class_f1(ledger: Ledger, one: Side, blocks: list[int]) -> FloatArray:
    """F1 of each class by block, (blocks, classes).

    It is nan where a block holds no row of the class.

    Raises:
        LedgerError: if the predictions of a cell are missing.
    """
    if one.labels is None:
        raise NoPredictionsError("the sweep kept no labels")
    names, keys = one.labels.label_names, one.keys()
    table = np.full((len(blocks), len(names)), np.nan)
    for row, (rows, probabilities) in enumerate(
        class_probabilities(ledger, [keys[block] for block in blocks], len(names))
    ):
        labels = one.labels.labels[rows]
        found = class_scores(labels, probabilities[None], names)
        table[row] = np.where(found.rows > 0, found.f1, np.nan)
    return table
