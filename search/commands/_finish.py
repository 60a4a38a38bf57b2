"""How `run` and `resume` end: the leaderboard, and how to go on or where to look."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from search.commands._options import print_json

if TYPE_CHECKING:
    from search.sweep import Outcome


def finish(go: Callable[[], Outcome], options: argparse.Namespace) -> int:
    """Run or resume, show the leaderboard, say how to go on or where to look."""
    from search import console
    from search.leaderboard import show_leaderboard
    from search.spec import SweepError
    from search.table import summary

    try:
        outcome = go()
    except KeyboardInterrupt:
        console.say(
            "Interrupted. What finished is in the ledger; go on with: "
            f"{console.command_name()} resume latest{' --nested' if options.nested else ''}"
        )
        return 130
    document = summary(outcome.plan, outcome.table, outcome.standings, outcome.nested)
    if options.json:
        print_json(document)
    else:
        show_leaderboard(document)
        console.show_end(outcome)
    if not document["cells_done"]:
        raise SweepError(
            "No cell was finished. "
            + next(
                iter(outcome.table.failures.values()), "The time limit ended before the first one."
            )
        )
    return 0
