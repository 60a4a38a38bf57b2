"""`foldrace ensemble`."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from search.checks import bounds
from search.commands._options import add_json, add_ledger, print_json

if TYPE_CHECKING:
    from collections.abc import Mapping

SUMMARY = "Select an ensemble of finished cells; score it on rows that no choice saw."
EXAMPLES = """\
examples:
  foldrace ensemble latest
  foldrace ensemble tweets-minilm tweets-roberta --rounds 100
  foldrace ensemble my-sweep --json
Several sweeps, of several encoders or spaces, must be of the same data, seeds and folds.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("sweeps", nargs="+", metavar="SWEEP", help="name, run id, or `latest`")
    parser.add_argument(
        "--rounds", type=bounds.COUNT, default=25, metavar="N", help="members to take at most (25)"
    )
    parser.add_argument(
        "--members",
        type=bounds.COUNT,
        default=50,
        metavar="N",
        help="choose among the N that are best alone, a config with a seed each (50)",
    )
    add_ledger(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from search.analysis import ensembles
    from search.console import output
    from search.spec.arguments import tracking_uri

    with output.busy("reading predictions, and selecting on all folds but one, each in turn"):
        document = ensembles.ensemble_document(
            tracking_uri(options),
            options.experiment,
            options.sweeps,
            rounds=options.rounds,
            most=options.members,
        )
    if options.json:
        print_json(document)
    else:
        _show(document)
    return 0


def _show(document: Mapping[str, Any]) -> None:
    from rich.table import Table

    from search.console.class_table import show_classes
    from search.console.screen import screen_of
    from search.formatting import points, unit

    screen = screen_of(sys.stdout)
    table = Table(
        title=f"{document['objective']} in {unit(document['objective'])}, nested: "
        f"{document['blocks']} blocks whose rows no choice saw",
        title_justify="left",
        box=None,
        pad_edge=False,
        header_style="bold",
    )
    for name in ("", "mean", "95% interval", "gain", "95% interval", "better", "equal", "worse"):
        table.add_column(name, justify="left" if not name else "right")
    for row in document["nested"]:
        gain = row["gain"]
        shares = ["-"] * 3
        if gain is not None and gain["better"] is not None:
            shares = [f"{gain[key]:.2f}" for key in ("better", "equal", "worse")]
        table.add_row(
            row["what"],
            points(row["mean"]),
            f"{points(row['ci_low'])} .. {points(row['ci_high'])}",
            "-" if gain is None else points(gain["mean"], sign=True),
            "-"
            if gain is None
            else f"{points(gain['ci_low'], sign=True)} .. {points(gain['ci_high'], sign=True)}",
            *shares,
        )
    screen.print(table)
    screen.print(
        f"gain: paired, over the best single config; better, equal, worse: by more than "
        f"{points(document['rope'])} points. Selected and scored on the same rows the ensemble "
        f"would show {points(document['flattered'])}, which is no score.",
    )
    members = Table(title="\nselected on all rows", title_justify="left", box=None, pad_edge=False)
    for name in ("weight", "sweep", "config", "seed", "alone"):
        members.add_column(name, overflow="fold")
    for member in document["members"]:
        config = " ".join(f"{name}={value}" for name, value in member["config"].items())
        members.add_row(
            f"{member['weight']:.2f}",
            member["sweep"],
            config,
            str(member["seed"]),
            points(member["score"]),
        )
    screen.print(members)
    show_classes(screen, document["classes"], "\nthe ensemble by class, on rows no choice saw")
