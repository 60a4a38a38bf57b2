"""Callbacks: told of a sweep's progress while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from search.planning.plan import Plan
from search.results.inert import Suspect
from search.results.score_matrix import ScoreMatrix
from trainables.engine.contract import CellResult

Pair = tuple[int, int]
Running = Callable[[], Mapping[str, Sequence[Pair]]]
"""Gives the (config, block) pairs that each trial trains now."""


class Callback:
    """Base class of callbacks; each method does nothing until it is overridden."""

    def on_start(self, plan: Plan, table: ScoreMatrix, planned: int) -> None:
        """Called once the ledger has been read, with the planned cells."""

    def on_workers(self, slots: int, running: Running) -> None:
        """Called once Ray is up, with the number of concurrent stacks."""

    def on_watch(self, plan: Plan, table: ScoreMatrix, planned: int, who: str) -> None:
        """Called in place of both where another process, who, drives the sweep."""

    def on_cell(self, plan: Plan, table: ScoreMatrix, pair: Pair, result: CellResult) -> None:
        """Called for each cell that comes in."""

    def on_inert(self, plan: Plan, suspect: Suspect) -> None:
        """Called once for each hyper-parameter that made no difference."""

    def on_outer_fold(self, plan: Plan, done: int) -> None:
        """Called before each outer fold of a nested cross-validation."""

    def on_message(self, text: str) -> None:
        """Called with a line for the user."""

    def on_end(self) -> None:
        """Called at the end of the run, however it ends."""


class CallbackList(Callback):
    """Several callbacks as one, called in order."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        for name in (name for name in vars(Callback) if name.startswith("on_")):
            setattr(self, name, partial(_call_each, callbacks, name))


def _call_each(callbacks: Sequence[Callback], name: str, *values: Any) -> None:
    for callback in callbacks:
        getattr(callback, name)(*values)
