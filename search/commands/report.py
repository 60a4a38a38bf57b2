"""`foldrace report`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.checks.output_paths import OUTPUT_FOLDER
from search.commands._options import add_json, add_ledger, add_rope, print_json

if TYPE_CHECKING:
    from search.report.write import Report

SUMMARY = "Write the report of a sweep, or of several: a page, Markdown, figures."
EXAMPLES = """\
examples:
  foldrace report latest
  foldrace report my-sweep --out my-report
  foldrace report trec-1k mr-1k cr-1k --out sizes       several sweeps on one page
  foldrace report my-sweep --check-paper                exit code 0 if the paper's rows agree
exit codes with --check-paper:
  0  every row of the paper's tables on these data agrees
  3  a row differs: the paper's figure lies outside our 95% interval
  4  undecided: a row cannot be told at this size, the sweep has not the paper's settings, or there
     is no row
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "sweeps", metavar="SWEEP", nargs="+", help="name, MLflow run id, or `latest`"
    )
    parser.add_argument(
        "--out", type=OUTPUT_FOLDER, metavar="DIR", help="folder for the files (report-SWEEP)"
    )
    parser.add_argument(
        "--pareto",
        metavar="METRIC",
        help="draw the objective against this metric of the cells: seconds, parameters, loss ...",
    )
    add_rope(parser)
    parser.add_argument(
        "--check-paper",
        action="store_true",
        help="end with 0, 3 or 4: whether the papers' rows on these data are reproduced",
    )
    add_ledger(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """`foldrace report`."""
    from search.report.keep import report_of
    from search.report.paper import exit_code
    from search.spec.arguments import tracking_uri
    from trainables.engine.training.scoring import metric_name

    report = report_of(
        tracking_uri(options),
        options.experiment,
        options.sweeps,
        None if options.out is None else Path(options.out),
        rope=options.rope / 100,
        criterion=options.pareto and metric_name(options.pareto),
    )
    if options.json:
        print_json(_document(report, exit_code(report.verdicts) if options.check_paper else None))
    else:
        _say(report)
    if options.check_paper:
        code = exit_code(report.verdicts)
        if not options.json:
            _say_check(report, code)
        return code
    return 0


def _document(report: Report, code: int | None) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "page": str(report.page),
        "files": [str(path) for path in report.files],
        "sweeps": [
            {"sweep": story.name, "question": story.question, "answer": story.answer}
            for story in report.stories
        ],
        "paper": [
            {**asdict(verdict), "paper_gain": verdict.paper_gain} for verdict in report.verdicts
        ],
        "check_paper": code,
    }


def _say(report: Report) -> None:
    from search.console import output

    for story in report.stories:
        output.say(story.question)
        output.say(story.answer)
    output.say(f"report: {report.page}")


def _say_check(report: Report, code: int) -> None:
    from search.console import output
    from search.report.paper import NOT_REPRODUCED, REPRODUCED

    for verdict in report.verdicts:
        output.say(
            f"{verdict.sweep}, {verdict.table}, {verdict.data}, {verdict.row}"
            f"{f', {verdict.paper_model}' if verdict.paper_model else ''}: {verdict.says} "
            f"({verdict.because})"
        )
    for story in report.stories:
        if story.no_verdict:
            output.say(f"{story.name}: {story.no_verdict}")
    names = {REPRODUCED: "reproduced", NOT_REPRODUCED: "not reproduced"}
    output.say(f"{names.get(code, 'undecided')} (exit code {code})")
