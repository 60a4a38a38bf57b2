"""`foldrace spaces`."""

from __future__ import annotations

import argparse

from search.commands._options import add_json, print_json

PLACE = 110
SUMMARY = "List the spaces: axes, grid size, reference configs."
EXAMPLES = """\
examples:
  foldrace spaces
  foldrace spaces --json
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """`foldrace spaces`."""
    from trainables.engine import registry

    rows = []
    for name in registry.names("spaces"):
        space = registry.load("spaces", name, "SPACE")
        rows.append(
            {
                "name": space.name,
                "configs": len(space),
                "axes": {axis.name: list(axis.values) for axis in space.axes},
                "references": {key: dict(value) for key, value in space.references.items()},
                "fixed": dict(space.fixed),
                "trainable": space.trainable,
                "objective": space.objective,
                "source": space.source,
            }
        )
    if options.json:
        print_json(rows)
        return 0
    from search import console

    console.show_spaces(rows)
    return 0
