"""What a person sees: stderr for what is going on, stdout for the answer.

Progress is drawn when stderr is a terminal, and is a line now and then when it is a file or a pipe.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable

from search.inert import Suspect
from search.leaderboard import screen_of
from search.sweep import Outcome, Table, Watcher

if TYPE_CHECKING:
    from search.estimate import Estimate
    from search.plan import Plan
    from trainables.engine.audit import Audit
    from trainables.engine.contract import CellResult
    from trainables.engine.dataset import TextData

_SECONDS_BETWEEN_LINES = 10.0


def say(text: str) -> None:
    """One line about what is going on."""
    screen_of(sys.stderr).print(text, markup=False)


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Show that something takes its time: a spinner on a terminal, else one line."""
    screen = screen_of(sys.stderr)
    if screen.is_terminal:
        with screen.status(f"{what} ..."):
            yield
        return
    screen.print(f"{what} ...", markup=False)
    yield


def duration(seconds: float) -> str:
    """Seconds as a person says them: 45 s, 12 min, 3.5 h, 4.2 days."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"


class Live(Watcher):
    """Draws the cells done of planned, the speed, the time left and the leader."""

    def __init__(self) -> None:
        self._screen = screen_of(sys.stderr)
        self._progress: Progress | None = None
        self._bar: Any = None
        self._planned = 0
        self._began = 0.0
        self._last = 0.0

    def reused(self, plan: Plan, table: Table, planned: int) -> None:
        """Say how much is left to train."""
        self._planned = planned
        if table.reused:
            told = f"{table.reused:,} of the sweep's cells are in the ledger already"
            if table.reused > planned:
                told += f", more than the {planned:,} of --max-cells"
            self._screen.print(told)
        if table.reused < planned:
            self._screen.print("starting Ray ...")

    def started(self, slots: int) -> None:
        """Start the bar."""
        self._began = time.monotonic()
        self._screen.print(f"training, {slots} stack{'s' if slots > 1 else ''} at a time")
        if self._screen.is_terminal:
            columns = ("[progress.description]{task.description}",)
            self._progress = Progress(
                *(TextColumn(text) for text in columns),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.fields[note]}"),
                console=self._screen,
            )
            self._progress.start()
            self._bar = self._progress.add_task("cells", total=self._planned, note="")

    def cell(self, plan: Plan, table: Table, pair: tuple[int, int], result: CellResult) -> None:
        """Move the bar; say what failed."""
        done = table.reused + table.trained
        per_second = table.trained / max(time.monotonic() - self._began, 1e-9)
        left = duration((self._planned - done) / per_second)
        note = f"{60 * per_second:.1f} cells/min, at most {left} left"
        if result.status != "done":
            self._screen.print(
                f"{result.status}: {plan.label(pair[0])}, block {plan.blocks[pair[1]]}: "
                f"{result.error}",
                markup=False,
            )
        if self._progress is not None:
            self._progress.update(self._bar, completed=done, note=note)
        elif time.monotonic() - self._last > _SECONDS_BETWEEN_LINES or done == self._planned:
            self._last = time.monotonic()
            self._screen.print(f"{done} of {self._planned} cells, {note}")

    def inert(self, plan: Plan, suspect: Suspect) -> None:
        """Warn of a hyper-parameter that does nothing, as soon as it shows."""
        meaning = suspect.to_json(plan.blocks, plan.declared_in)["meaning"]
        self._screen.print(f"Warning: {meaning}", markup=False)

    def nested(self, plan: Plan, done: int) -> None:
        """Say which inner sweep of a nested cross-validation starts."""
        self._screen.print(f"nested: outer fold {done + 1} of {plan.spec.folds}")

    def said(self, text: str) -> None:
        """Print the line."""
        self._screen.print(text, markup=False)

    def closed(self) -> None:
        """Leave the terminal as it was."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def show_sweep(plan: Plan, data: TextData, audit: Audit) -> None:
    """What is about to run, and what to know of its data."""
    spec = plan.spec
    say(
        f"{spec.name}: {len(plan.configs):,} configs x {len(plan.blocks)} blocks "
        f"({len(spec.seeds)} seeds x {spec.folds or 1} {'folds' if spec.folds else 'hold-out'}), "
        f"strategy {spec.strategy}; {len(data.texts):,} rows, {len(data.label_names)} classes"
    )
    if plan.left_out:
        say(f"left out, the narrowed axes exclude them: {', '.join(plan.left_out)}")
    for line in audit.lines():
        say(f"data: {line}")


def command_name() -> str:
    """What to type for this program: its name where it is on the PATH, else how to reach it."""
    if shutil.which("foldrace") is not None or Path(sys.argv[0]).name != "foldrace":
        return "foldrace"
    return os.path.relpath(sys.argv[0])


def show_end(outcome: Outcome) -> None:
    """How the run ended and where to look next."""
    table, spec = outcome.table, outcome.plan.spec
    say(
        f"{table.trained} cells trained, {table.reused} taken from the ledger, "
        f"{duration(outcome.seconds)}."
    )
    me = command_name()
    flag = (
        "" if spec.tracking_uri == "sqlite:///mlflow.db" else f" --tracking-uri {spec.tracking_uri}"
    )
    if not outcome.complete:
        say(f"The budget ended first; go on with: {me} resume {spec.name}{flag}")
    say(f"Compare the runs in the MLflow UI: {me} ui{flag}")


def show_table(rows: list[dict[str, Any]]) -> None:
    """A plain table, a column a key."""
    table = RichTable(box=None, pad_edge=False, header_style="bold")
    for name in rows[0]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(f"{v:,}" if isinstance(v, int) else str(v) for v in row.values()))
    screen_of(sys.stdout).print(table)


def show_spaces(rows: list[dict[str, Any]]) -> None:
    """Each space with its axes and reference configs."""
    screen = screen_of(sys.stdout)
    for row in rows:
        screen.print(f"[bold]{row['name']}[/bold]  {row['configs']:,} configs, {row['objective']}")
        screen.print(f"  {row['source']}", markup=False)
        for axis, values in row["axes"].items():
            screen.print(f"  {axis:16} {', '.join(str(v) for v in values)}", markup=False)
        for name, config in row["references"].items():
            shown = " ".join(f"{key}={value}" for key, value in config.items())
            screen.print(f"  reference        {name}: {shown}", markup=False)
        fixed = " ".join(f"{key}={value}" for key, value in row["fixed"].items())
        screen.print(f"  fixed            {fixed}\n", markup=False)


def show_plan(plan: Plan, data: TextData, audit: Audit, cost: Estimate) -> None:
    """What a run would train, find and cost."""
    show_sweep(plan, data, audit)
    screen = screen_of(sys.stdout)
    for line in cost.lines():
        screen.print(line, markup=False)
