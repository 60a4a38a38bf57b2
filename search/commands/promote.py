"""`foldrace promote`."""

from __future__ import annotations

import argparse
from pathlib import Path

from search.checks.names import MODEL_NAME
from search.checks.output_paths import OUTPUT_FOLDER
from search.commands._options import (
    add_json,
    add_ledger,
    add_rank,
    add_sweep,
    print_json,
)

SUMMARY = "Train the winner on all data, save it, and register it as champion."
EXAMPLES = """\
examples:
  foldrace promote latest
  foldrace promote my-sweep --rank 2 --out my-model
  foldrace promote my-sweep --as sentiment      the next version of the model `sentiment`
then:
  foldrace predict my-sweep --data new.csv
  foldrace serve my-sweep
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_sweep(parser)
    add_rank(parser)
    parser.add_argument(
        "--out",
        type=OUTPUT_FOLDER,
        metavar="DIR",
        help="the Hugging Face folder (champion-SWEEP)",
    )
    parser.add_argument(
        "--as",
        type=MODEL_NAME,
        dest="name",
        metavar="NAME",
        help="the registered model (SWEEP)",
    )
    add_ledger(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """`foldrace promote`."""
    from search.arguments import tracking_uri
    from search.console import output

    uri = tracking_uri(options)
    from search.serving.promote import promote  # which takes seconds to import

    with output.busy("training on all rows"):
        champion = promote(
            uri,
            options.experiment,
            options.sweep,
            rank=options.rank,
            folder=None if options.out is None else Path(options.out),
            name=options.name,
        )
    registered = champion.registered
    if options.json:
        print_json(
            {
                "model": registered.name,
                "version": registered.version,
                "uri": registered.uri,
                "alias": "champion",
                "config": champion.config,
                "folder": str(champion.folder),
                "trust_remote_code": not champion.stock,
            }
        )
        return 0
    output.say(f"{champion.config}: trained on all rows")
    flag = "" if champion.stock else ", trust_remote_code=True"
    output.say(
        f"saved: {champion.folder} "
        f"(AutoModelForSequenceClassification.from_pretrained(folder{flag}))"
    )
    output.say(f"registered: {registered.name}, version {registered.version}, alias champion")
    return 0
