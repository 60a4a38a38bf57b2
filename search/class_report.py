"""`foldrace classes`: how well a sweep's configs tell each class. Nothing heavy at the top."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

EXAMPLES = """\
examples:
  foldrace classes latest
  foldrace classes my-sweep --rank 2
  foldrace classes my-sweep --json
"""
_MOST_COLUMNS = 8  # of the table of who is taken for whom


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command, but for the ledger's."""
    parser.add_argument("sweep", metavar="SWEEP", help="name, MLflow run id, or `latest`")
    parser.add_argument(
        "--rank", type=int, default=1, metavar="N", help="the leaderboard's N-th config (1)"
    )


def classes(options: argparse.Namespace) -> int:
    """Run the command."""
    from search.spec import InputError

    if options.rank < 1:
        raise InputError(f"--rank must be at least 1, got {options.rank}.")
    from search import library
    from search.leaderboard import screen_of
    from search.options import tracking_uri

    uri = tracking_uri(options)
    document = library.classes_document(uri, options.experiment, options.sweep, options.rank)
    if options.json:
        sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")
        return 0
    screen = screen_of(sys.stdout)
    for one in document["configs"]:
        config = " ".join(f"{name}={value}" for name, value in one["config"].items())
        show_classes(screen, one["classes"], f"{document['sweep']}, {one['what']}: {config}")
    return 0


def show_classes(screen: Any, rows: Sequence[dict[str, Any]], title: str) -> None:
    """A row a class: precision, recall, F1, and where its rows went; all in points.

    Args:
        screen: A rich console.
        rows: As `class_scores.ClassScores.to_json` gives them.
        title: Of the table.
    """
    from rich.table import Table

    from search.leaderboard import points

    names = [row["class"] for row in rows]
    wide = len(names) <= _MOST_COLUMNS
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("class")
    for name in ("rows", "precision", "recall", "F1"):
        table.add_column(name, justify="right")
    for name in names if wide else ():
        table.add_column(f"as {name}", justify="right")
    if not wide:
        table.add_column("most often taken for")
    for row in rows:
        taken = row["taken_for"]
        others = {name: share for name, share in taken.items() if name != row["class"]}
        worst = max(others, key=lambda name: others[name])
        where = [points(share) for share in taken.values()]
        table.add_row(
            row["class"],
            f"{row['rows']:,}",
            *(points(row[key]) for key in ("precision", "recall", "f1")),
            *(where if wide else [f"{worst} {points(others[worst])}"]),
        )
    screen.print(table)
