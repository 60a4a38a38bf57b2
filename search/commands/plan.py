"""`foldrace plan`."""

from __future__ import annotations

import argparse
from pathlib import Path

from search.checks import bounds
from search.commands._options import add_search, print_json

SUMMARY = "Say what a run would train and cost; train nothing."
EXAMPLES = """\
examples:
  foldrace plan --data reviews.csv
  foldrace plan softtriple --data trec-1k --model roberta-base --price-per-hour 2.5
  foldrace plan softtriple --data tweets.csv --label author --model minilm --json
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_search(parser)
    parser.add_argument(
        "--price-per-hour", type=bounds.PRICE, metavar="USD", help="price of one slot's hour"
    )


def run(options: argparse.Namespace) -> int:
    """`foldrace plan`."""
    from search.spec import sweep_file
    from search.spec.arguments import sweep_spec

    spec = sweep_spec(options)
    from search.planning.prepare import check_names, prepare
    from search.sweep import prior_sweeps

    check_names(spec)  # before anything is imported that takes its time
    prior_sweeps.check(spec)
    if options.save is not None:
        sweep_file.save(Path(options.save), spec)
    from search.console import output
    from search.planning.cost import estimate
    from search.planning.inner_plans import inner_plans
    from search.results.earlier import guidance
    from search.sweep.load import known_pairs

    with output.busy("reading the data and the model"):
        planned, data, audit = prepare(spec)
        known = known_pairs(planned)
        inner = inner_plans(planned) if spec.nested else []
        inside = [len(known_pairs(plan)) for plan in inner]
        earlier = prior_sweeps.of_plan(planned)
    with output.busy("training a few steps to estimate the time"):
        cost = estimate.estimate(planned, known, options.price_per_hour, nested_known=inside)
    document = estimate.document(planned, data, audit, cost)
    if options.json:
        print_json({**document, "prior": [one.to_json() for one in earlier]})
    else:
        output.show_plan(planned, data, audit, cost, spec)
        for line in guidance(earlier, len(planned.configs), named=bool(spec.prior)):
            output.say(line)
    return 0
