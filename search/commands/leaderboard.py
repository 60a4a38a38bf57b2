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
  foldrace leaderboard latest --objective macro_f1           the same cells, ranked anew
  foldrace leaderboard latest --metrics loss,macro_f1 --pareto seconds
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_sweep(parser)
    parser.add_argument(
        "--top", type=bounds.COUNT, default=20, metavar="N", help="rows on the screen (20)"
    )
    parser.add_argument(
        "--objective",
        metavar="METRIC",
        help="rank by this metric of the cells (the sweep's objective); nothing is trained",
    )
    parser.add_argument(
        "--metrics", metavar="METRIC,METRIC", help="further metrics as columns: macro_f1,loss ..."
    )
    parser.add_argument(
        "--pareto",
        metavar="METRIC",
        help="mark the configs that none beats in this, too: seconds, parameters ...",
    )
    add_rope(parser)
    add_ledger(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """`foldrace leaderboard`."""
    from search.console.leaderboard import show_leaderboard
    from search.results.document import of_outcome
    from search.spec.arguments import tracking_uri
    from search.sweep.load import load_record
    from trainables.engine.training.scoring import metric_name

    asked = [] if options.metrics is None else options.metrics.split(",")
    words = [*asked, *([options.pareto] if options.pareto else [])]
    metrics = dict.fromkeys(metric_name(word) for word in words)
    _, result = load_record(
        tracking_uri(options),
        options.experiment,
        options.sweep,
        options.rope / 100,
        objective=options.objective,
        metrics=tuple(metrics),
    )
    document = of_outcome(result, options.pareto and metric_name(options.pareto))
    if options.json:
        print_json(document)
    else:
        show_leaderboard(document, top=options.top)
    return 0
