"""Scores by class on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table as RichTable

from search.formatting import points

_MOST_COLUMNS = 8  # of the table of who is taken for whom


def show_classes(screen: Any, rows: Sequence[dict[str, Any]], title: str) -> None:
    """Print a row per class: precision, recall, F1, confusions; in points.

    Args:
        screen: A rich console.
        rows: As `class_scores.ClassScores.to_json` gives them.
        title: Title of the table.
    """
    names = [row["class"] for row in rows]
    wide = len(names) <= _MOST_COLUMNS
    table = RichTable(title=title, title_justify="left", box=None, pad_edge=False)
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
