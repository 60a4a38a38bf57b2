"""`foldrace leaderboard`."""

from __future__ import annotations

import argparse

from search.commands._options import add_json, add_ledger, add_sweep, print_json

SUMMARY = "Show the configs of a sweep, best first."
EXAMPLES = """\
examples:
  foldrace leaderboard latest
  foldrace leaderboard my-sweep --json
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_sweep(parser)
    parser.add_argument("--top", type=int, default=20, metavar="N", help="rows on the screen (20)")
    parser.add_argument(
        "--rope", type=float, default=0.5, metavar="POINTS", help="practically equal within (0.5)"
    )
    add_ledger(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """`foldrace leaderboard`."""
    from search.arguments import tracking_uri
    from search.errors import InputError

    if options.top < 1:
        raise InputError(f"--top must be at least 1, got {options.top}.")
    if not 0 <= options.rope < 100:
        raise InputError(f"--rope must lie in [0, 100) points, got {options.rope}.")
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
