"""`foldrace resume`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from search.results.outcome import SweepResult

import argparse

from search.checks.urls import RAY_ADDRESS
from search.commands._finish import check_places, finish
from search.commands._options import (
    add_json,
    add_ledger,
    add_limits,
    add_nested,
    add_report,
    add_sweep,
    add_take_over,
)

SUMMARY = "Go on with a sweep that was interrupted."
EXAMPLES = """\
examples:
  foldrace resume latest
  foldrace resume my-sweep --max-hours 2
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_sweep(parser)
    add_limits(parser, "a new limit on the cells", "a new limit on the hours")
    add_nested(parser)
    add_report(parser)
    add_take_over(parser)
    parser.add_argument(
        "--ray-address",
        type=RAY_ADDRESS,
        metavar="auto|local|ray://...",
        help="run it there instead",
    )
    add_ledger(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """`foldrace resume`."""
    from search.console import live
    from search.spec.arguments import tracking_uri
    from search.spec.make_spec import changed
    from search.spec.sweep_spec import SweepSpec
    from search.sweep import run as sweep

    def change(spec: SweepSpec) -> SweepSpec:
        limits = {"max_cells": options.max_cells, "max_hours": options.max_hours}
        given = {name: value for name, value in limits.items() if value is not None}
        budget = {**spec.budget.model_dump(), **given}
        address = options.ray_address or spec.resources.ray_address
        resources = {**spec.resources.model_dump(), "ray_address": address}
        nested = options.nested or spec.nested
        check_places(spec)
        return changed(spec, budget=budget, resources=resources, nested=nested)

    def go() -> SweepResult:
        return sweep.resume(
            options.sweep,
            tracking_uri=tracking_uri(options),
            experiment=options.experiment,
            change=change,
            callbacks=[live.display(options.json)],
            take_over=options.take_over,
        )

    return finish(go, options)
