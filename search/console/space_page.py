"""Page of one space: each axis and fixed value with its meaning."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from rich.table import Table

from search.console.screen import screen_of
from search.formatting import scalar


def show_space(row: Mapping[str, Any]) -> None:
    """A space as `foldrace spaces NAME` shows it.

    Args:
        row: As `foldrace spaces --json` gives it.
    """
    screen = screen_of(sys.stdout)
    screen.print(f"{row['name']}  {row['configs']:,} configs, {row['objective']}", style="bold")
    screen.print(row["source"])
    meanings: Mapping[str, str] = row["meanings"]
    axes = _table("axis", "values", "meaning")
    for name, values in row["axes"].items():
        shown = f"{name} ({row['symbols'][name]})" if name in row["symbols"] else name
        axes.add_row(shown, ", ".join(map(scalar, values)), meanings.get(name, ""))
    fixed = _table("fixed", "value", "meaning")
    for name, value in row["fixed"].items():
        fixed.add_row(name, scalar(value), meanings.get(name, ""))
    for title, table in (
        ("searched; --set NAME=V,V searches these values, LOW..HIGH[:log] a range", axes),
        ("fixed; --fix NAME=VALUE changes, --set NAME=V,V searches", fixed),
    ):
        screen.print()
        screen.print(title)
        screen.print(table)
    screen.print()
    screen.print("reference configs: they compete in any case")
    for name, config in row["references"].items():
        baseline = ", the baseline" if name == row["baseline"] else ""
        values = " ".join(f"{key}={scalar(value)}" for key, value in config.items())
        screen.print(f"{name}{baseline}: {values}")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, name in enumerate(columns):
        table.add_column(name, overflow="fold", no_wrap=number == 0, ratio=(1, 1, 2)[number])
    return table
