"""`foldrace spaces`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from search.commands._options import add_json, print_json

if TYPE_CHECKING:
    from spaces import Space

SUMMARY = "List the spaces, or show one: its axes and fixed values, and what each means."
EXAMPLES = """\
examples:
  foldrace spaces
  foldrace spaces softtriple
  foldrace spaces --json
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "space", metavar="SPACE", nargs="?", help="show this one, with what each value means"
    )
    parser.add_argument("--plugin", metavar="FILE", help="a Python file with entries of your own")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """`foldrace spaces`."""
    from trainables.engine import registry

    if options.plugin:
        registry.register_plugin(options.plugin)
    names = [options.space] if options.space else registry.names("spaces")
    rows = [_row(registry.load("spaces", name, "SPACE")) for name in names]
    if options.json:
        print_json(rows[0] if options.space else rows)
    elif options.space:
        from search.console.space_page import show_space

        show_space(rows[0])
    else:
        from search.console import output

        output.show_spaces(rows)
    return 0


def _row(space: Space) -> dict[str, Any]:
    from trainables.engine import meanings

    documented = meanings.of(space.trainable)
    return {
        "name": space.name,
        "configs": len(space),
        "axes": {axis.name: list(axis.values) for axis in space.axes},
        "symbols": {axis.name: axis.symbol for axis in space.axes if axis.symbol},
        "references": {key: dict(value) for key, value in space.references.items()},
        "baseline": space.baseline,
        "fixed": dict(space.fixed),
        "meanings": {name: documented.get(name, "") for name in space.kinds},
        "trainable": space.trainable,
        "objective": space.objective,
        "source": space.source,
    }
