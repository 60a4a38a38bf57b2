"""A run as it goes: a picture on a terminal, lines in a file, JSON lines for a program."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from search.console import duration
from search.frontier import Frontier
from search.inert import Suspect
from search.intake import Watcher
from search.leaderboard import points, screen_of
from search.pace import Pace

if TYPE_CHECKING:
    from rich.console import RenderableType

    from search.plan import Plan
    from search.sweep import Table
    from trainables.engine.contract import CellResult

Running = Callable[[], Mapping[str, Sequence[tuple[int, int]]]]
"""Gives the (config, block) pairs that each trial trains now."""

_SECONDS_BETWEEN_LINES = 10.0
_TRAINED_SHOWN, _FAILURES_SHOWN = 4, 3


def watcher(machine: bool = False) -> Watcher:
    """The watcher that suits stderr.

    Args:
        machine: One JSON object a line, for a program.
    """
    if machine:
        return JsonLines()
    return Picture() if screen_of(sys.stderr).is_terminal else Lines()


class Lines(Watcher):
    """A line now and then: for a file, a pipe, a log."""

    def __init__(self) -> None:
        self.screen = screen_of(sys.stderr)
        self.pace = Pace(0)
        self._last = 0.0

    def say(self, text: str) -> None:
        """One line."""
        self.screen.print(text, markup=False)

    def reused(self, plan: Plan, table: Table, planned: int) -> None:
        """Say how much is left to train."""
        self.pace = Pace(planned, table.reused)
        if table.reused:
            told = f"{table.reused:,} of the sweep's cells are in the ledger already"
            if table.reused > planned:
                told += f", more than the {planned:,} of --max-cells"
            self.say(told)
        if table.reused < planned:
            self.say("starting Ray ...")

    def started(self, slots: int, running: Running) -> None:
        """Start the clock."""
        self.pace.start()
        self.say(f"training, {slots} stack{'s' if slots > 1 else ''} at a time")

    def cell(self, plan: Plan, table: Table, pair: tuple[int, int], result: CellResult) -> None:
        """Count; say what failed."""
        self.pace.cell(result.metrics.get("seconds", None))
        if result.status != "done":
            self.say(failure(plan, pair, result))
        now = time.monotonic()
        if now - self._last > _SECONDS_BETWEEN_LINES or self.pace.done == self.pace.planned:
            self._last = now
            self.say(f"{self.pace.done} of {self.pace.planned} cells, {speed(self.pace)}")

    def inert(self, plan: Plan, suspect: Suspect) -> None:
        """Warn of a hyper-parameter that does nothing, as soon as it shows."""
        self.say(f"Warning: {suspect.to_json(plan.blocks, plan.declared_in)['meaning']}")

    def said(self, text: str) -> None:
        """Hand a line on."""
        self.say(text)

    def nested(self, plan: Plan, done: int) -> None:
        """Say which inner sweep of a nested cross-validation starts."""
        self.say(f"nested: outer fold {done + 1} of {plan.spec.folds}")


def failure(plan: Plan, pair: tuple[int, int], result: CellResult) -> str:
    """A cell that failed, in a line."""
    return f"{result.status}: {plan.label(pair[0])}, block {plan.blocks[pair[1]]}: {result.error}"


def speed(pace: Pace) -> str:
    """Cells a minute, and the time left at most with its 80% interval."""
    told = f"{pace.per_minute:.1f} cells/min"
    left = pace.left
    if left is None:
        return told
    return (
        f"{told}, at most {duration(left.middle)} left "
        f"({duration(left.low)} to {duration(left.high)})"
    )


class Picture(Lines):
    """The whole state, redrawn twice a second on a terminal."""

    def __init__(self) -> None:
        super().__init__()
        self._live: Any = None
        self._plan: Plan | None = None
        self._running: Running = dict
        self._frontier: Frontier | None = None
        self._failures: list[str] = []

    def reused(self, plan: Plan, table: Table, planned: int) -> None:
        """Say how much is left, and look at what there is."""
        super().reused(plan, table, planned)
        self._plan, self._frontier = plan, Frontier(plan)
        self._frontier.look(table)

    def started(self, slots: int, running: Running) -> None:
        """Start drawing."""
        from rich.live import Live

        self.pace.start()
        self._running = running
        self._live = Live(
            get_renderable=self._draw,
            console=self.screen,
            refresh_per_second=2,
            transient=True,
            # It would put back, at its end, the stdout that training closes (search/tuner.py).
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def cell(self, plan: Plan, table: Table, pair: tuple[int, int], result: CellResult) -> None:
        """Count, and look anew at who leads if the last look is long enough ago."""
        self.pace.cell(result.metrics.get("seconds", None))
        if result.status != "done":
            self._failures.append(failure(plan, pair, result))
        if self._frontier is not None:
            self._frontier.look(table)

    def closed(self) -> None:
        """Leave the terminal as it was; what failed stays on it."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        for line in self._failures:
            self.say(line)
        self._failures = []

    def _draw(self) -> RenderableType:
        from rich.console import Group
        from rich.padding import Padding
        from rich.text import Text

        plan, parts = self._plan, []
        if plan is None:
            return Text("")
        parts.append(self._bar())
        training = [
            f"{plan.label(pairs[0][0])}" + (f" and {len(pairs) - 1} more" if pairs[1:] else "")
            for pairs in self._running().values()
            if pairs
        ]
        for line in training[:_TRAINED_SHOWN]:
            parts.append(Text(f"training  {line}", no_wrap=True, overflow="ellipsis"))
        if self._frontier is not None and self._frontier.leaders:
            parts.append(Padding(self._leaders(self._frontier), (1, 0)))
            for line in self._frontier.dropped_lines():
                parts.append(Text(line, style="dim", no_wrap=True, overflow="ellipsis"))
        if self._failures:
            parts.append(Text(f"{len(self._failures)} failed or diverged", style="bold red"))
            for line in self._failures[-_FAILURES_SHOWN:]:
                parts.append(Text(line, style="red", no_wrap=True, overflow="ellipsis"))
        return Group(*parts)

    def _bar(self) -> RenderableType:
        from rich.progress_bar import ProgressBar
        from rich.table import Table as Grid

        pace = self.pace
        grid = Grid.grid(padding=(0, 1))
        bar = ProgressBar(total=max(pace.planned, 1), completed=pace.done, width=28)
        grid.add_row(bar, f"{pace.done:,} of {pace.planned:,} cells, {speed(pace)}")
        return grid

    def _leaders(self, frontier: Frontier) -> RenderableType:
        from rich.table import Table as Grid

        grid = Grid(box=None, pad_edge=False, header_style="bold")
        grid.add_column("leaders", no_wrap=True, overflow="ellipsis", ratio=1)
        for name in ("mean", "95% interval", "cells", "P(best)", "gain"):
            grid.add_column(name, justify="right", no_wrap=True)
        for row in frontier.leaders:
            grid.add_row(
                row.label,
                points(row.mean),
                f"{points(row.low)} .. {points(row.high)}",
                str(row.cells),
                "-" if row.p_best is None else f"{row.p_best:.2f}",
                points(row.gain, sign=True),
            )
        return grid


class JsonLines(Lines):
    """One JSON object a line: {"event": "cells", "done": 40, "planned": 80, ...}."""

    def say(self, text: str) -> None:
        """Nothing: each event has a form of its own."""

    def event(self, name: str, fields: Mapping[str, Any]) -> None:
        """Write one line."""
        sys.stderr.write(json.dumps({"event": name, **fields}, allow_nan=False) + "\n")
        sys.stderr.flush()

    def reused(self, plan: Plan, table: Table, planned: int) -> None:
        """How much there is."""
        super().reused(plan, table, planned)
        fields = {
            "sweep": plan.spec.name,
            "configs": len(plan.configs),
            "blocks": len(plan.blocks),
            "planned": planned,
            "reused": table.reused,
        }
        self.event("sweep", fields)

    def started(self, slots: int, running: Running) -> None:
        """Workers are up."""
        super().started(slots, running)
        self.event("started", {"slots": slots})

    def cell(self, plan: Plan, table: Table, pair: tuple[int, int], result: CellResult) -> None:
        """A cell came in."""
        super().cell(plan, table, pair, result)
        left, score = self.pace.left, table.scores[pair]
        seed, fold = plan.blocks[pair[1]]
        self.event(
            "cell",
            {
                "status": result.status,
                "config": plan.axes_of(pair[0]),
                "seed": seed,
                "fold": fold,
                "score": float(score) if result.status == "done" else None,
                "error": result.error,
                "done": self.pace.done,
                "planned": self.pace.planned,
                "cells_per_minute": round(self.pace.per_minute, 3),
                "seconds_left": None
                if left is None
                else [round(left.low, 1), round(left.middle, 1), round(left.high, 1)],
            },
        )

    def inert(self, plan: Plan, suspect: Suspect) -> None:
        """A hyper-parameter did nothing."""
        self.event("inert", suspect.to_json(plan.blocks, plan.declared_in))

    def said(self, text: str) -> None:
        """Something was said that is no event of its own."""
        self.event("said", {"text": text})

    def nested(self, plan: Plan, done: int) -> None:
        """An inner sweep starts."""
        self.event("nested", {"outer_fold": done, "folds": plan.spec.folds})

    def closed(self) -> None:
        """The run is over."""
        self.event("closed", {"done": self.pace.done, "planned": self.pace.planned})
