"""`foldrace watch`."""

from __future__ import annotations

import argparse

from search.checks import bounds
from search.commands._options import add_json, add_ledger, add_sweep, print_json

SUMMARY = "Watch a sweep that runs elsewhere: another terminal, a cluster."
EXAMPLES = """\
examples:
  foldrace watch latest
  foldrace watch my-sweep --tracking-uri http://mlflow:5000
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
    add_ledger(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """`foldrace watch`."""
    from search.arguments import tracking_uri
    from search.console import live, output
    from search.console.leaderboard import show_leaderboard
    from search.results.document import of_outcome
    from search.sweep.watch import watch

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
