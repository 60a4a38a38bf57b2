"""`foldrace watch`."""

from __future__ import annotations

import argparse
from pathlib import Path

from search.checks import bounds
from search.checks.output_paths import OUTPUT_SVG
from search.commands._options import add_json, add_ledger, add_sweep, print_json

SUMMARY = "Watch a sweep that runs elsewhere: another terminal, a cluster."
EXAMPLES = """\
examples:
  foldrace watch latest
  foldrace watch my-sweep --tracking-uri http://mlflow:5000
  foldrace watch latest --svg race.svg                       a finished race, to be shown
Ctrl-C ends the watching; the sweep goes on.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_sweep(parser)
    parser.add_argument(
        "--every",
        type=bounds.SECONDS,
        default=2.0,
        metavar="SECONDS",
        help="seconds between two looks at the ledger (2), more where a look takes long",
    )
    parser.add_argument(
        "--svg",
        type=OUTPUT_SVG,
        metavar="FILE",
        help="write what there was to see so far as an animated drawing, and end",
    )
    add_ledger(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """`foldrace watch`."""
    from search.console import live, output
    from search.console.leaderboard import show_leaderboard
    from search.results.document import of_outcome
    from search.spec.arguments import tracking_uri
    from search.sweep.watch import watch

    if options.svg is not None:
        return _draw(options)
    callback = live.display(options.json)
    try:
        outcome = watch(
            tracking_uri(options),
            options.experiment,
            options.sweep,
            callback,
            every_s=options.every,
        )
    except KeyboardInterrupt:
        output.say("No longer watched; the sweep goes on.")
        return 0
    document = of_outcome(outcome)
    if options.json:
        print_json(document)
    else:
        show_leaderboard(document)
    return 0


def _draw(options: argparse.Namespace) -> int:
    """Write the race so far as an animated drawing."""
    from search.console import output
    from search.errors import InputError
    from search.report.evidence import collect
    from search.report.replay import animated
    from search.spec.arguments import tracking_uri

    evidence = collect(tracking_uri(options), options.experiment, options.sweep)
    if not len(evidence.arrivals):
        raise InputError(f"Sweep {evidence.record.name!r} has no cell yet: nothing to draw.")
    with output.busy("drawing the race"):
        Path(options.svg).write_text(animated(evidence), encoding="utf-8")
    if options.json:
        print_json({"sweep": evidence.record.name, "svg": str(options.svg)})
    else:
        output.say(f"written: {options.svg}")
    return 0
