"""End of `run` and `resume`: leaderboard, report, next steps."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.checks import refuse
from search.checks.output_paths import OUTPUT_FOLDER
from search.commands._options import print_json
from search.tracking_uri import EXPERIMENT, default_tracking_uri

if TYPE_CHECKING:
    from search.analysis.ablation import Shown
    from search.results.outcome import SweepResult
    from search.spec.sweep_spec import SweepSpec


def _going_on(program: str, options: argparse.Namespace, spec: SweepSpec | None) -> str:
    """Command that resumes the interrupted sweep, to be pasted."""
    nested, uri, experiment = options.nested, options.tracking_uri, options.experiment
    if spec is not None:
        nested, experiment = spec.nested, spec.experiment
        uri = uri or (None if spec.tracking_uri == default_tracking_uri() else spec.tracking_uri)
    words = [program, "resume", "latest", *(["--nested"] if nested else [])]
    words += ["--tracking-uri", uri] if uri else []
    words += ["--experiment", experiment] if experiment != EXPERIMENT else []
    return shlex.join(words)


def finish(
    go: Callable[[], SweepResult], options: argparse.Namespace, spec: SweepSpec | None = None
) -> int:
    """Run or resume a sweep, print its leaderboard and next steps.

    Args:
        go: Runs it.
        options: Options of the command.
        spec: The sweep, where it is known before it runs.
    """
    from search.console import output
    from search.errors import SweepError
    from search.results.document import of_outcome

    try:
        outcome = go()
    except KeyboardInterrupt:
        output.say(
            "Interrupted. What finished is in the ledger; go on with: "
            f"{_going_on(output.command_name(), options, spec)}"
        )
        return 130
    document = of_outcome(outcome)
    table = _ablation(outcome, document)
    unread: OSError | None = None
    if not options.json:
        try:
            _show(document, table)
        except OSError as error:
            unread = error  # nobody reads the answer, or the disk is full: the report is for later
        output.show_end(outcome)
    if not document["cells_done"]:
        raise SweepError(
            "No cell was finished. "
            + next(
                iter(outcome.table.failures.values()), "The time limit ended before the first one."
            )
        )
    page = _report(outcome, options.report)
    if options.json:
        print_json({**document, "report": None if page is None else str(page)})
    else:
        output.show_answer(outcome, document["answer"], page)
    if unread is not None:
        raise unread
    return 0


def check_places(spec: SweepSpec) -> None:
    """Refuse a sweep whose answer could not be written at its end.

    Raises:
        InputError: naming the folder.
    """
    if spec.configs == "ablation":
        refuse(OUTPUT_FOLDER, "The place of the ablation's table", _ablation_folder(spec))


def _ablation_folder(spec: SweepSpec) -> Path:
    return Path(f"ablation-{spec.name}")


def _report(outcome: SweepResult, folder: str | None) -> Path | None:
    """Write the report, if one is wanted; returns its page."""
    if folder is None:
        return None
    from search.report.keep import report_of

    spec = outcome.plan.spec
    return report_of(spec.tracking_uri, spec.experiment, [outcome.sweep_id], Path(folder)).page


def _ablation(outcome: SweepResult, document: dict[str, Any]) -> Shown | None:
    """Write the ablation's table into the document; None for other sweeps."""
    if outcome.plan.spec.configs != "ablation":
        return None
    from search.analysis import ablation

    shown = ablation.show(outcome, _ablation_folder(outcome.plan.spec))
    document["ablation"] = shown.to_json()
    return shown


def _show(document: dict[str, Any], table: Shown | None) -> None:
    """The answer and the leaderboard on stdout."""
    from search.console import output
    from search.console.leaderboard import show_leaderboard

    show_leaderboard(document)
    if table is not None and table.rows:
        sys.stdout.write(f"{table.table}\n")  # as wide as it is: it can be pasted
        for note in table.notes:
            output.say(note)
        output.say(f"written, and kept in MLflow: {', '.join(map(str, table.files))}")
    sys.stdout.flush()
