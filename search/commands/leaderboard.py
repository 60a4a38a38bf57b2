"""`foldrace leaderboard`."""

from __future__ import annotations

import argparse

from search.checks import bounds
from search.commands._options import (
    add_json,
    add_ledger,
    add_rope,
    add_sweep,
    print_json,
)

SUMMARY = "Show the configs of a sweep, best first."
EXAMPLES = """\
examples:
  foldrace leaderboard latest
  foldrace leaderboard my-sweep --json
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_sweep(parser)
    parser.add_argument(
        "--top", type=bounds.COUNT, default=20, metavar="N", help="rows on the screen (20)"
    )
    add_rope(parser)
    add_ledger(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """`foldrace leaderboard`."""
    from search.arguments import tracking_uri
    from search.console.leaderboard import show_leaderboard
    from search.results.document import of_outcome
    from search.sweep.load import load_record

    _, result = load_record(
        tracking_uri(options), options.experiment, options.sweep, options.rope / 100
    )
    document = of_outcome(result)
    if options.json:
        print_json(document)
    else:
        show_leaderboard(document, top=options.top)
    return 0
