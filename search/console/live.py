"""Live display of a run: drawn on terminals, lines elsewhere, or JSON."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from search.console.progress import Progress
from search.console.screen import Column, apart, label_table, screen_of, without_middle
from search.formatting import between, counted, duration, fitted_line, points, printable
from search.results.inert import Suspect
from search.results.leaders import Leaders
from search.results.score_matrix import ScoreMatrix
from search.sweep.callback import Callback, Running

if TYPE_CHECKING:
    from rich.console import RenderableType

    from search.planning.plan import Plan
    from trainables.engine.contract import CellResult

_SECONDS_BETWEEN_LINES = 10.0
_THROUGH = ("grid", "random")  # strategies that train all that they may
_TRAINED_SHOWN, _FAILURES_SHOWN = 4, 3
_TRAINING, _MORE = "training  ", " and {:,} more"


def display(machine: bool = False) -> Callback:
    """Callback that shows a sweep on stderr.

    Args:
        machine: One JSON object a line, for a program.
    """
    if machine:
        return JsonLines()
    screen = screen_of(sys.stderr)
    return LiveDisplay() if screen.is_terminal and not screen.is_dumb_terminal else Lines()


class Lines(Callback):
    """A line now and then: for a file, a pipe, a log."""

    def __init__(self) -> None:
        self.screen = screen_of(sys.stderr, forgiving=True)
        self.pace = Progress(0)
        self._last = -math.inf

    def say(self, text: str) -> None:
        """One line."""
        self.screen.print(text)

    def begin(self, plan: Plan, table: ScoreMatrix, planned: int) -> None:
        """Take up what is there."""
        self.pace = Progress(planned, table.reused, plan.spec.strategy not in _THROUGH)

    def on_start(self, plan: Plan, table: ScoreMatrix, planned: int) -> None:
        """Say how much is left to train."""
        self.begin(plan, table, planned)
        if table.reused:
            verb = "is" if table.reused == 1 else "are"
            reused = f"{table.reused:,} of the sweep's cells {verb} in the ledger already"
            if table.reused > planned:
                reused += f", more than the {planned:,} of --max-cells"
            self.say(reused)
        if table.reused < planned:
            self.say("starting Ray ...")

    def on_workers(self, slots: int, running: Running) -> None:
        """Start the clock."""
        self.pace.start()
        self.say(f"training, {counted(slots, 'stack')} at a time")

    def on_watch(self, plan: Plan, table: ScoreMatrix, planned: int, who: str) -> None:
        """Say who trains it, and how far it is."""
        self.begin(plan, table, planned)
        self.pace.start()
        self.say(f"{plan.spec.name}: trained by {who}; {progress(self.pace)}")

    def on_cell(
        self, plan: Plan, table: ScoreMatrix, pair: tuple[int, int], result: CellResult
    ) -> None:
        """Count; say what failed."""
        self.pace.cell(result.metrics.get("seconds", None))
        if result.status != "done":
            self.say(failure(plan, pair, result))
        now = time.monotonic()
        if now - self._last > _SECONDS_BETWEEN_LINES or self.pace.done == self.pace.planned:
            self._last = now
            self.say(f"{progress(self.pace)}, {speed(self.pace)}")

    def on_inert(self, plan: Plan, suspect: Suspect) -> None:
        """Warn of a hyper-parameter that does nothing, as soon as it shows."""
        found = suspect.to_json(plan.blocks, plan.declared_in, plan.space.alike)
        self.say(f"Warning: {found['meaning']}")

    def on_message(self, text: str) -> None:
        """Hand a line on."""
        self.say(text)

    def on_outer_fold(self, plan: Plan, done: int) -> None:
        """Say which inner sweep of a nested cross-validation starts."""
        self.say(f"nested: outer fold {done + 1} of {plan.spec.folds}")


def failure(plan: Plan, pair: tuple[int, int], result: CellResult) -> str:
    """A cell that failed, in a line."""
    where = f"{plan.label(pair[0])}, block {plan.blocks[pair[1]]}"
    return printable(f"{result.status}: {where}: {result.error}")


def progress(pace: Progress) -> str:
    """Count of finished and planned cells.

    A race may well end before the last of them.
    """
    most = "at most " if pace.may_end_early else ""
    return f"{pace.done:,} of {most}{counted(pace.planned, 'cell')}"


def speed(pace: Progress) -> str:
    """Cells per minute, and the time left with its 80% interval."""
    line = f"{pace.per_minute:.1f} cells/min"
    left = pace.left
    if left is None or pace.done >= pace.planned:
        return line
    middle, reach = duration(left.middle), between(left.low, left.high)
    return f"{line}, about {middle} left" + ("" if reach == middle else f" ({reach})")


class LiveDisplay(Lines):
    """The whole state, redrawn twice a second on a terminal."""

    def __init__(self) -> None:
        super().__init__()
        self._live: Any = None
        self._plan: Plan | None = None
        self._running: Running = dict
        self._board: Leaders | None = None
        self._failures: list[str] = []

    def begin(self, plan: Plan, table: ScoreMatrix, planned: int) -> None:
        """Look at what there is."""
        super().begin(plan, table, planned)
        self._plan, self._board = plan, Leaders(plan)
        self._board.update(table)

    def on_workers(self, slots: int, running: Running) -> None:
        """Start drawing."""
        self.pace.start()
        self._running = running
        self._start_drawing()

    def on_watch(self, plan: Plan, table: ScoreMatrix, planned: int, who: str) -> None:
        """Say who trains it, and start drawing."""
        super().on_watch(plan, table, planned, who)
        self._start_drawing()

    def _start_drawing(self) -> None:
        from rich.live import Live

        self._live = Live(
            get_renderable=self.draw,
            console=self.screen,
            refresh_per_second=2,
            transient=True,
            # It would put back, at its end, the stdout that search/execution/tuner.py closes.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def on_cell(
        self, plan: Plan, table: ScoreMatrix, pair: tuple[int, int], result: CellResult
    ) -> None:
        """Update counts; refresh leaders every few seconds."""
        self.pace.cell(result.metrics.get("seconds", None))
        if result.status != "done":
            self._failures.append(failure(plan, pair, result))
        if self._board is not None:
            self._board.update(table)

    def on_end(self) -> None:
        """Leave the terminal as it was; what failed stays on it."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        for line in self._failures:
            self.say(line)
        self._failures = []

    def draw(self, speed: bool = True) -> RenderableType:
        """The state as it is now.

        Args:
            speed: Say how fast it goes, and what is left.
        """
        from rich.console import Group
        from rich.padding import Padding
        from rich.text import Text

        plan, parts = self._plan, []
        if plan is None:
            return Text("")
        parts.append(self._bar(speed))
        stacks = [pairs for pairs in self._running().values() if pairs][:_TRAINED_SHOWN]
        heads = [plan.label(pairs[0][0]) for pairs in stacks]
        room = self.screen.width - len(_TRAINING) - len(_MORE.format(999))
        for label, pairs in zip(apart(heads, room), stacks, strict=True):
            more = _MORE.format(len(pairs) - 1) if pairs[1:] else ""
            parts.append(self._line(f"{_TRAINING}{label}{more}"))
        if self._board is not None and self._board.leaders:
            parts.append(Padding(self._leaders(self._board), (1, 0)))
            for line in self._board.dropped_lines():
                parts.append(self._line(without_middle(line, self.screen.width), "dim"))
        if self._failures:
            parts.append(Text(f"{len(self._failures)} failed or diverged", style="bold red"))
            for line in self._failures[-_FAILURES_SHOWN:]:
                parts.append(self._line(line, "red"))
        return Group(*parts)

    def _line(self, text: str, style: str = "") -> RenderableType:
        from rich.text import Text

        return Text(fitted_line(printable(text), self.screen.width), style=style, no_wrap=True)

    def _bar(self, with_speed: bool) -> RenderableType:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table as Grid

        pace = self.pace
        grid = Grid.grid(padding=(0, 1))
        bar = ProgressBar(total=max(pace.planned, 1), completed=pace.done, width=28)
        grid.add_row(bar, progress(pace))
        return Group(grid, speed(pace)) if with_speed else grid

    def _leaders(self, leaders: Leaders) -> RenderableType:
        rows = leaders.leaders
        columns = [
            Column("mean", [points(row.mean) for row in rows]),
            Column(
                "95% interval",
                ["-" if r.low is None else f"{points(r.low)} .. {points(r.high)}" for r in rows],
                giving=4,
                wide_only=True,
            ),
            Column("cells", [str(row.cells) for row in rows], giving=3),
            Column(
                "P(best)",
                ["-" if row.p_best is None else f"{row.p_best:.2f}" for row in rows],
                giving=2,
            ),
            Column("gain", [points(row.gain, sign=True) for row in rows], giving=1),
        ]
        return label_table("leaders", [row.label for row in rows], columns, self.screen.width)


class JsonLines(Lines):
    """One JSON object a line: {"event": "cells", "done": 40, "planned": 80, ...}."""

    def say(self, text: str) -> None:
        """Nothing: each event has a form of its own."""

    def event(self, name: str, fields: Mapping[str, Any]) -> None:
        """Write one line."""
        self.screen.file.write(json.dumps({"event": name, **fields}, allow_nan=False) + "\n")
        self.screen.file.flush()

    def on_start(self, plan: Plan, table: ScoreMatrix, planned: int) -> None:
        """Report the number of cells."""
        super().on_start(plan, table, planned)
        self._report(plan, table, planned)

    def on_watch(self, plan: Plan, table: ScoreMatrix, planned: int, who: str) -> None:
        """Report the number of cells, and who trains them."""
        super().on_watch(plan, table, planned, who)
        self._report(plan, table, planned, driver=who)

    def _report(self, plan: Plan, table: ScoreMatrix, planned: int, **more: str) -> None:
        fields = {
            "sweep": plan.spec.name,
            "configs": len(plan.configs),
            "blocks": len(plan.blocks),
            "planned": planned,
            "reused": table.reused,
        }
        self.event("sweep", {**fields, **more})

    def on_workers(self, slots: int, running: Running) -> None:
        """Workers are up."""
        super().on_workers(slots, running)
        self.event("started", {"slots": slots})

    def on_cell(
        self, plan: Plan, table: ScoreMatrix, pair: tuple[int, int], result: CellResult
    ) -> None:
        """A cell came in."""
        super().on_cell(plan, table, pair, result)
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

    def on_inert(self, plan: Plan, suspect: Suspect) -> None:
        """A hyper-parameter did nothing."""
        found = suspect.to_json(plan.blocks, plan.declared_in, plan.space.alike)
        self.event("inert", found)

    def on_message(self, text: str) -> None:
        """Something was said that is no event of its own."""
        self.event("said", {"text": text})

    def on_outer_fold(self, plan: Plan, done: int) -> None:
        """An inner sweep starts."""
        self.event("nested", {"outer_fold": done, "folds": plan.spec.folds})

    def on_end(self) -> None:
        """The run is over."""
        self.event("closed", {"done": self.pace.done, "planned": self.pace.planned})
