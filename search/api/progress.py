"""Progress of a sweep where Python shows it: terminal or notebook."""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from search.console import live, output
from search.console.live import failure, progress, speed
from search.console.progress import Progress
from search.formatting import counted
from search.sweep.callback import Callback, Running

if TYPE_CHECKING:
    from search.planning.plan import Plan
    from search.results.inert import Suspect
    from search.results.score_matrix import ScoreMatrix
    from trainables.engine.contract import CellResult

_SECONDS_BETWEEN = 0.5
_LINES = 4


def display() -> Callback:
    """Callback that shows a sweep: in the notebook's cell, or on stderr."""
    return NotebookDisplay() if in_notebook() else live.display()


@contextmanager
def reading(shown: Sequence[Callback]) -> Iterator[None]:
    """Show that data and model are read, before there is a plan.

    Args:
        shown: The display, or none.
    """
    what = "reading the data and the model"
    if shown and isinstance(shown[0], NotebookDisplay):
        shown[0].begin(what)
    with output.busy(what) if shown and not in_notebook() else nullcontext():
        yield


def in_notebook() -> bool:
    """Tell whether a Jupyter kernel runs this process."""
    shell = sys.modules.get("IPython")
    running = None if shell is None else shell.get_ipython()
    return running is not None and hasattr(running, "kernel")


class NotebookDisplay(Callback):
    """A line with a bar below a notebook's cell."""

    def __init__(self) -> None:
        self.pace = Progress(0)
        self._handle: Any = None
        self._last = 0.0
        self._state = "starting"
        self._lines: list[str] = []

    def begin(self, state: str) -> None:
        """Show what is done before there is a plan."""
        self._state = f"{state} ..."
        self._draw()

    def on_start(self, plan: Plan, table: ScoreMatrix, planned: int) -> None:
        """Show the bar."""
        self.pace = Progress(planned, table.reused, plan.spec.strategy not in ("grid", "random"))
        self._state = (
            f"{plan.spec.name}: starting Ray" if table.reused < planned else plan.spec.name
        )
        self._name = plan.spec.name
        self._draw()

    def on_workers(self, slots: int, running: Running) -> None:
        """Start the clock."""
        self.pace.start()
        self._state = f"{self._name}: {counted(slots, 'stack')} at a time"
        self._draw()

    def on_cell(
        self, plan: Plan, table: ScoreMatrix, pair: tuple[int, int], result: CellResult
    ) -> None:
        """Count; show what failed."""
        self.pace.cell(result.metrics.get("seconds"))
        if result.status != "done":
            self._say(failure(plan, pair, result))
        now = time.monotonic()
        if now - self._last > _SECONDS_BETWEEN or self.pace.done == self.pace.planned:
            self._last = now
            self._draw()

    def on_inert(self, plan: Plan, suspect: Suspect) -> None:
        """Show a hyper-parameter that does nothing."""
        self._say(suspect.to_json(plan.blocks, plan.declared_in, plan.space.alike)["meaning"])

    def on_message(self, text: str) -> None:
        """Show a line."""
        self._say(text)

    def on_end(self) -> None:
        """Show the last state."""
        self._state = f"{self._name}: ended"
        self._draw()

    def _say(self, text: str) -> None:
        self._lines = [*self._lines, text][-_LINES:]
        self._draw()

    def _draw(self) -> None:
        from IPython.display import HTML, display

        pace = self.pace
        told = f"{progress(pace)}, {speed(pace)}" if pace.done else progress(pace)
        if not pace.planned:
            told = ""
        lines = "".join(f"<div><small>{html.escape(line)}</small></div>" for line in self._lines)
        page = HTML(  # type: ignore[no-untyped-call]
            f'<div class="foldrace-progress">{html.escape(self._state)} '
            f'<progress value="{pace.done}" max="{max(pace.planned, 1)}"></progress> '
            f"{html.escape(told)}{lines}</div>"
        )
        if self._handle is None:
            self._handle = display(page, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(page)
