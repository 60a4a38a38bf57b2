"""`foldrace promote`."""

from __future__ import annotations

import argparse
from pathlib import Path

from search.commands._options import add_json, add_ledger, add_sweep, print_json

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
    parser.add_argument(
        "--rank", type=int, default=1, metavar="N", help="the leaderboard's N-th config (1)"
    )
    parser.add_argument("--out", metavar="DIR", help="the Hugging Face folder (champion-SWEEP)")
    parser.add_argument("--as", dest="name", metavar="NAME", help="the registered model (SWEEP)")
    add_ledger(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """`foldrace promote`."""
    from search.arguments import tracking_uri
    from search.console import output
    from search.errors import InputError
    from search.serving.promote import promote

    if options.rank < 1:
        raise InputError(f"--rank must be at least 1, got {options.rank}.")
    uri = tracking_uri(options)
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
