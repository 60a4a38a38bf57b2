"""The page of `foldrace doctor`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from rich.table import Table

from search.console.screen import screen_of
from search.formatting import counted

_STYLES = {"fault": "bold red", "note": "yellow", "ok": "green"}


def show_findings(document: Mapping[str, Any]) -> None:
    """Print the count of faults, then the findings, faults first."""
    screen = screen_of(sys.stdout)
    faults, notes = document["faults"], document["notes"]
    title = counted(faults, "fault") if faults else "No fault"
    title += f", {counted(notes, 'note')}" if notes else ""
    screen.print(f"{title}; nothing was changed.\n", style="bold")
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=False, overflow="fold", max_width=16)
    table.add_column(overflow="fold")
    for row in document["findings"]:
        found = row["found"] if row["todo"] is None else f"{row['found']}\n-> {row['todo']}"
        table.add_row(
            screen.render_str(row["level"], style=_STYLES[row["level"]]), _name(row), found
        )
    screen.print(table)


def _name(row: Mapping[str, Any]) -> str:
    """Name of a finding's thing, with its subject where that tells more."""
    shared = row["subject"] in ("cache", "ray", "spool")
    thing = str(row["thing"])
    if row["subject"] == "cache" and "/" in thing:
        return "cache"
    return f"{row['subject']}: {thing}" if shared else thing
