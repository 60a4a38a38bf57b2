"""`foldrace data`."""

from __future__ import annotations

import argparse

from search.commands._options import add_json, show_listing

SUMMARY = "List the data sets by name, with their licences and hub ids."
EXAMPLES = """\
examples:
  foldrace data
  foldrace data --json
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """`foldrace data`."""
    from trainables.engine import registry

    rows = []
    for name in registry.names("trainables.data"):
        card = registry.load("trainables.data", name, "DATASET")
        rows.append(
            {
                "name": card.name,
                "licence": card.licence,
                "hub id": card.hub_id or "-",
                "about": card.about,
            }
        )
    return show_listing(rows, options)
