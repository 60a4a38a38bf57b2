"""`foldrace classes`."""

from __future__ import annotations

import argparse
import sys

from search.commands._options import (
    add_json,
    add_ledger,
    add_rank,
    add_sweep,
    print_json,
)

SUMMARY = "Show how well a config tells each class."
EXAMPLES = """\
examples:
  foldrace classes latest
  foldrace classes my-sweep --rank 2
  foldrace classes my-sweep --json
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_sweep(parser)
    add_rank(parser)
    add_ledger(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from search.analysis import ensembles
    from search.console.class_table import show_classes
    from search.console.screen import screen_of
    from search.spec.arguments import tracking_uri

    uri = tracking_uri(options)
    document = ensembles.classes_document(uri, options.experiment, options.sweep, options.rank)
    if options.json:
        print_json(document)
        return 0
    screen = screen_of(sys.stdout)
    for row in document["configs"]:
        config = " ".join(f"{name}={value}" for name, value in row["config"].items())
        show_classes(screen, row["classes"], f"{document['sweep']}, {row['what']}: {config}")
    return 0
