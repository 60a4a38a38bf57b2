"""`foldrace run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from search.results.outcome import SweepResult

import argparse
from contextlib import nullcontext
from pathlib import Path

from search.commands._finish import check_places, finish
from search.commands._options import add_report, add_search, add_take_over

SUMMARY = "Search a space and name the best config."
EXAMPLES = """\
examples:
  foldrace run --data reviews.csv                        your own file: that is all
  foldrace run --data reviews.csv --text body --label stars --model roberta-base --max-hours 2
  foldrace run softtriple --data trec-1k --model roberta-base
  foldrace run softtriple --data tweets.csv --text body --label author --model minilm \\
      --set k=10,100 --fix learning_rate=1e-4 --strategy random --max-cells 400
  foldrace run softtriple --data trec --model ./my-encoder --configs reference --json
  foldrace run --data reviews.csv --fix epochs=4 --save sweep.toml     and again: run sweep.toml
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_search(parser)
    add_report(parser)
    add_take_over(parser)


def run(options: argparse.Namespace) -> int:
    """`foldrace run`."""
    from search.planning.prepare import check_names, prepare
    from search.spec import sweep_file
    from search.spec.arguments import sweep_spec
    from search.sweep import prior_sweeps

    spec = sweep_spec(options)
    check_places(spec)
    check_names(spec)  # before anything is imported that takes its time
    prior_sweeps.check(spec)
    if options.save is not None:
        sweep_file.save(Path(options.save), spec)
    from search.console import live, output
    from search.planning.cost import estimate, expected
    from search.process import folders
    from search.sweep import run as sweep
    from search.sweep.load import known_cells

    shown = live.display(options.json)
    folders.check(spec)
    sweep.check_free(spec, options.take_over)
    # For a program stderr holds events alone.
    with nullcontext() if options.json else output.busy("reading the data and the model"):
        plan, data, audit = prepare(spec)
    if not options.json:
        output.show_sweep(plan, data, audit, spec)

        def timed() -> float | None:
            with output.busy("timing a few steps"):
                return estimate.before_a_run(plan, data)

        output.say(expected.before_the_run(plan, known_cells(plan), timed))

    def go() -> SweepResult:
        taken = options.take_over
        return sweep.run(plan.spec, plan=plan, callbacks=[shown], take_over=taken)

    return finish(go, options, spec)
