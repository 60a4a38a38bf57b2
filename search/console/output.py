"""Output of commands: stderr for progress, stdout for the answer.

What a run shows while it goes is in search/console/live.py.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table as RichTable

from search.console.runs_page import runs_page
from search.console.screen import screen_of
from search.errors import InputError, LedgerError
from search.formatting import counted, duration, off_grid
from search.results.outcome import SweepResult
from search.tracking.open import open_ledger
from search.tracking_uri import default_tracking_uri

if TYPE_CHECKING:
    from search.planning.cost.estimate import Estimate
    from search.planning.plan import Plan
    from search.spec.sweep_spec import SweepSpec
    from trainables.engine.datasets.load import TextData
    from trainables.engine.splits.audit import Audit


_BETWEEN_LINES_S = 2.0


def say(text: str, whole: bool = False) -> None:
    """One line about what is going on.

    Args:
        text: The line.
        whole: Leave folding to the terminal, so that an address can be copied from it.
    """
    screen_of(sys.stderr, forgiving=True).print(text, soft_wrap=whole)


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Show that work goes on: a spinner on terminals, else one line."""
    screen = screen_of(sys.stderr, forgiving=True)
    if screen.is_terminal and not screen.is_dumb_terminal:
        with screen.status(f"{what} ..."):
            yield
        return
    screen.print(f"{what} ...")
    yield


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far a work is; yields a function.

    It is called with the numbers of what is done, and of all.

    A terminal shows it in place, anything else every few seconds.
    """
    screen = screen_of(sys.stderr, forgiving=True)
    live = screen.is_terminal and not screen.is_dumb_terminal
    told: float | None = None
    with screen.status(f"{what} ...") if live else nullcontext() as status:

        def tell(done: int, every: int) -> None:
            nonlocal told
            line = f"{what}: {done:,} of {every:,}"
            if status is not None:
                status.update(f"{line} ...")
            elif told is None:
                told = time.monotonic()
            elif time.monotonic() - told > _BETWEEN_LINES_S:
                told = time.monotonic()
                screen.print(line)

        yield tell


def show_sweep(plan: Plan, data: TextData, audit: Audit, typed: SweepSpec) -> None:
    """Print what was chosen, the sweep's size and the data audit.

    Args:
        plan: The sweep.
        data: Its data.
        audit: Findings in the data.
        typed: The spec before anything was found out.
    """
    from search.planning import notes
    from search.planning.cost.estimate import rows_of_a_cell

    spec = plan.spec
    for line in notes.chosen(typed, plan):
        say(line)
    say(
        f"{spec.name}: {counted(len(plan.configs), 'config')} x "
        f"{counted(len(plan.blocks), 'block')} ({counted(len(spec.seeds), 'seed')} x "
        f"{counted(spec.folds, 'fold') if spec.folds else 'hold-out'}), strategy {spec.strategy}; "
        f"{counted(len(data.texts), 'row')}, {len(data.label_names)} classes"
    )
    if plan.left_out:
        say(f"left out, the narrowed axes exclude them: {', '.join(plan.left_out)}")
    if plan.off_grid:
        say(off_grid(plan.off_grid))
    for note in notes.of(plan, rows_of_a_cell(plan, data)[0]):
        say(note)
    names = {"data": spec.data.name, "model": spec.model}
    for what, licence in notes.licences(plan).items():
        say(f"licence of {names[what]}: {licence}")
    for line in audit.lines():
        say(f"data: {line}")


def command_name() -> str:
    """Words that start this program in the user's shell."""
    if shutil.which("foldrace") is not None or Path(sys.argv[0]).name != "foldrace":
        return "foldrace"
    return os.path.relpath(sys.argv[0])


def show_end(outcome: SweepResult) -> None:
    """Print the run's cell counts, and how to go on if cut."""
    table = outcome.table
    say(
        f"{counted(table.trained, 'cell')} trained, {table.reused:,} taken from the ledger, "
        f"{duration(outcome.seconds)}."
    )
    if not outcome.complete:
        name = shlex.quote(outcome.plan.spec.name)
        say(f"Go on with: {command_name()} resume {name}{_ledger_flag(outcome)}")


def show_answer(outcome: SweepResult, answer: str, report: Path | None) -> None:
    """Print the answer again, and where its report and MLflow page are.

    Args:
        outcome: Result of the run.
        answer: Answer of its document.
        report: Its page, if one was written.
    """
    spec = outcome.plan.spec
    number, view = None, False
    # An MLflow that is away gets the results later; the answer stands without its page.
    with (
        suppress(InputError, LedgerError),
        open_ledger(spec.tracking_uri, spec.experiment) as ledger,
    ):
        number = ledger.experiment_id()
        least = outcome.plan.space.mode == "min"
        ledger.keep_view(outcome.sweep_id, _varying(outcome.plan), least_first=least)
        view = True
    served = spec.tracking_uri.startswith(("http://", "https://"))
    server = spec.tracking_uri if served else "http://127.0.0.1:5000"
    page = server if number is None else runs_page(server, number, outcome.sweep_id, view=view)
    ui = "" if served else f"{command_name()} ui{_ledger_flag(outcome)}, then "
    say(f"\n{answer}")
    place = "" if report is None else f"Report: {report}  "
    say(f"{place}MLflow: {ui}{page}", whole=True)


def _varying(plan: Plan) -> list[str]:
    """Axes that have more than one value in a sweep."""
    names = [axis.name for axis in plan.space.axes]
    return [name for name in names if len({config.get(name) for config in plan.configs}) > 1]


def _ledger_flag(outcome: SweepResult) -> str:
    uri = outcome.plan.spec.tracking_uri
    return "" if uri == default_tracking_uri() else f" --tracking-uri {shlex.quote(uri)}"


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
        screen.print(f"{row['name']}  {row['configs']:,} configs, {row['objective']}", style="bold")
        screen.print(f"  {row['source']}")
        for axis, values in row["axes"].items():
            screen.print(f"  {axis:16} {', '.join(str(v) for v in values)}")
        for name, config in row["references"].items():
            shown = " ".join(f"{key}={value}" for key, value in config.items())
            screen.print(f"  reference        {name}: {shown}")
        fixed = " ".join(f"{key}={value}" for key, value in row["fixed"].items())
        screen.print(f"  fixed            {fixed}\n")


def show_plan(plan: Plan, data: TextData, audit: Audit, cost: Estimate, typed: SweepSpec) -> None:
    """Print the cells and cost of a planned run."""
    from search.planning.cost.estimate import rows_of_a_cell

    show_sweep(plan, data, audit, typed)
    screen = screen_of(sys.stdout)
    trained, scored = rows_of_a_cell(plan, data)
    drawn = (
        "" if plan.spec.train_rows is None else ", drawn by its seed from all that are not scored"
    )
    screen.print(
        f"rows             a cell trains on {trained:,}{drawn}, and is scored on {scored:,}"
    )
    for line in cost.lines():
        screen.print(line)
