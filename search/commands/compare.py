"""`foldrace compare`."""

from __future__ import annotations

import argparse

from search.commands._options import add_json, add_ledger, add_rope, print_json

SUMMARY = "Compare sweeps, cell by cell where they share them."
EXAMPLES = """\
examples:
  foldrace compare my-sweep other-sweep
  foldrace compare my-sweep other-sweep third-sweep          the first with each of the others
  foldrace compare my-sweep:1 my-sweep:2                     two places of one leaderboard
  foldrace compare my-sweep other-sweep:baseline --json      a reference config by its name
  foldrace compare my-sweep other-sweep --objective macro_f1
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "sweeps",
        metavar="SWEEP[:CONFIG]",
        nargs="+",
        help="name, MLflow run id, or `latest`: its winner; after a colon a rank, the name of a "
        "reference config, or `baseline`",
    )
    parser.add_argument(
        "--objective",
        metavar="METRIC",
        help="compare by this metric of the cells (the first sweep's objective)",
    )
    add_rope(parser)
    add_ledger(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """`foldrace compare`."""
    from search.comparison.compare import compare_sweeps
    from search.comparison.words import to_json
    from search.spec.arguments import tracking_uri

    comparison = compare_sweeps(
        options.sweeps,
        tracking_uri=tracking_uri(options),
        experiment=options.experiment,
        objective=options.objective,
        rope=options.rope / 100,
    )
    if options.json:
        print_json(to_json(comparison))
    else:
        from search.console.comparison import show_comparison

        show_comparison(comparison)
    return 0
