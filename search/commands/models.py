"""`foldrace models`."""

from __future__ import annotations

import argparse

from search.commands._options import add_json, show_listing

SUMMARY = "List the encoder aliases, with their licences and hub ids."
EXAMPLES = """\
examples:
  foldrace models
  foldrace models --json
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """`foldrace models`."""
    from trainables.engine import registry

    rows = []
    for name in registry.names("trainables.encoders"):
        card = registry.load("trainables.encoders", name, "ENCODER")
        rows.append(
            {
                "name": card.name,
                "licence": card.licence,
                "hub id": card.hub_id or "-",
                "parameters": card.parameters,
            }
        )
    return show_listing(rows, options)
