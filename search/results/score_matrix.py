"""Scores of a sweep by config and block."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from search.arrays import FloatArray
from search.planning.plan import Plan
from search.process import own_code
from search.process.memory import without_garbage_collection
from search.results.inert import InertWatch, Suspect
from search.strategies.named import most_cells

if TYPE_CHECKING:
    from search.ledger.records import LoggedCell

_log = logging.getLogger("foldrace.results")


@dataclass
class ScoreMatrix:
    """The scores of a sweep as they come in.

    Attributes:
        scores: Objective of each cell, float (configs, blocks); nan where there is none.
        seconds: Training seconds of each cell, same shape.
        reused: Cells that were in the ledger before this run.
        foreign: Those of them that another sweep trained.
        trained: Cells that this run trained.
        codes: Digests of the code that trained the reused cells, with their numbers.
        failures: Message of each cell that failed or diverged, by (config, block).
        watch: Looks for hyper-parameters that do nothing; None looks for none.
        others: Further metrics by name, each (configs, blocks).
    """

    scores: FloatArray
    seconds: FloatArray
    reused: int = 0
    foreign: int = 0
    trained: int = 0
    codes: Counter[str | None] = field(default_factory=Counter)
    failures: dict[tuple[int, int], str] = field(default_factory=dict)
    watch: InertWatch | None = None
    others: dict[str, FloatArray] = field(default_factory=dict)

    @property
    def failed(self) -> frozenset[int]:
        """Configs of which a cell failed or diverged."""
        return frozenset(config for config, _ in self.failures)

    @classmethod
    def empty(cls, plan: Plan, others: Iterable[str] = ()) -> ScoreMatrix:
        """A table without a cell.

        Args:
            plan: The sweep.
            others: Names of further metrics to take.
        """
        shape = (len(plan.configs), len(plan.blocks))
        watch = InertWatch(lambda index: plan.space.active(plan.configs[index]), shape)
        further = {name: np.full(shape, math.nan) for name in others}
        return cls(np.full(shape, math.nan), np.full(shape, math.nan), watch=watch, others=further)

    def put(self, pair: tuple[int, int], score: float | None, metrics: Mapping[str, float]) -> None:
        """Enter one cell; a score of None stays missing."""
        self.scores[pair] = math.nan if score is None else score
        if "seconds" in metrics:
            self.seconds[pair] = metrics["seconds"]
        for name, values in self.others.items():
            values[pair] = metrics.get(name, math.nan)

    def compare(self, pair: tuple[int, int], digest: str | None) -> list[Suspect]:
        """The hyper-parameters that a cell's digest unmasks: they do nothing."""
        return [] if self.watch is None else self.watch.see(pair, digest)


def tell_known(
    plan: Plan,
    known: Iterable[LoggedCell],
    table: ScoreMatrix,
    tell: Callable[[int, int, float | None, float | None], None],
    sweep_id: str | None = None,
) -> None:
    """Enter the ledger's cells into the matrix; tell the strategy.

    Args:
        plan: The sweep.
        known: Cells of the ledger.
        table: To enter them into.
        tell: Told each of them.
        sweep_id: Run id of the sweep, whose own cells these may be; None for a new one.
    """
    with without_garbage_collection():
        for cell in known:
            _tell(plan, cell, table, tell, sweep_id)
    if table.watch is not None:
        table.watch.look()


def _tell(
    plan: Plan,
    cell: LoggedCell,
    table: ScoreMatrix,
    tell: Callable[[int, int, float | None, float | None], None],
    sweep_id: str | None,
) -> None:
    """Enter a cell of the ledger, if the plan has it."""
    pair = plan.keys.get(cell.key)
    if pair is None or not cell.settled:
        return
    table.codes[cell.code] += 1
    score = cell.metrics.get(plan.space.objective) if cell.status == "done" else None
    trouble = f"{cell.status} in an earlier run"
    if cell.status == "done" and (score is None or not math.isfinite(score)):
        trouble = f"run {cell.run_id} in MLflow has no sound {plan.space.objective}: {score}"
        _log.warning("A cell is left out: %s. Delete that run to train it again.", trouble)
        score = None
    table.put(pair, score, cell.metrics)
    table.reused += 1
    table.foreign += cell.sweep_id != sweep_id
    if table.watch is not None:
        table.watch.note(pair, cell.digest)
    if score is None:
        table.failures[pair] = trouble
    tell(*pair, score, cell.metrics.get("seconds"))


def other_code(table: ScoreMatrix) -> str | None:
    """Note on reused cells that other code trained; None without any.

    A change of what a cell's numbers are raises the trainable's VERSION, which stands in the key;
    so these are expected to be the same, but nobody is to take them for ours without knowing.
    """
    now = own_code.numbers()
    before = Counter({code: count for code, count in table.codes.items() if code != now})
    if not before:
        return None
    kinds = ", ".join(
        f"{count:,} by {'code that was not recorded' if code is None else code}"
        for code, count in before.most_common(3)
    )
    return (
        f"Note: {before.total():,} of these cells were trained by other code than this "
        f"({now}): {kinds}. They count, since the trainable's version is the same; --experiment "
        "NAME trains anew."
    )


def objective_and_time(plan: Plan) -> tuple[str, str]:
    """Metrics that a score matrix takes from a cell."""
    return plan.space.objective, "seconds"


def planned_cells(plan: Plan) -> int:
    """Upper bound on the cells of a run."""
    budget = plan.spec.budget
    return most_cells(plan.spec.strategy, plan.problem, budget.max_cells, budget.stop_margin)
