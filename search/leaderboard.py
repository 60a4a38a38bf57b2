"""The leaderboard on the screen, and in words what its figures are worth."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table as RichTable

_NAMED = 3  # of the configs that cannot be told from the winner


def screen_of(stream: Any) -> Console:
    """A console that never folds a table when its output is not a terminal."""
    return Console(file=stream, width=None if stream.isatty() else 140, highlight=False)


def points(value: float | None, sign: bool = False) -> str:
    """A fraction in points (per cent)."""
    if value is None:
        return "-"
    return f"{100 * value:+.2f}" if sign else f"{100 * value:.2f}"


def _label(config: Mapping[str, Any], name: str | None = None) -> str:
    values = " ".join(
        f"{axis}={value:g}" if isinstance(value, float) else f"{axis}={value}"
        for axis, value in config.items()
    )
    return f"{values} ({name})" if name else values


def show_leaderboard(document: Mapping[str, Any], top: int = 20) -> None:
    """The configs, best first; scores in points (per cent)."""
    screen = screen_of(sys.stdout)
    rows: Sequence[dict[str, Any]] = document["configs"]
    table = RichTable(
        title=f"{document['sweep']}: {document['cells_done']} cells "
        f"({document['cells_reused']} from the ledger)",
        title_justify="left",
        box=None,
        pad_edge=False,
        header_style="bold",
    )
    for name in ("#", "config"):
        table.add_column(name, no_wrap=name == "#", overflow="fold")
    for name in ("mean", "95% interval", "spread", "cells", "P(best)", "gain", "95% interval"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("status")
    for row in rows[:top]:
        table.add_row(
            str(row["rank"]),
            _label(row["config"], row["name"]),
            points(row["mean"]),
            f"{points(row['ci_low'])} .. {points(row['ci_high'])}",
            points(row["std"]),
            str(row["cells"]),
            "-" if row["p_best"] is None else f"{row['p_best']:.2f}",
            points(row["delta_baseline"], sign=True),
            f"{points(row['delta_ci_low'], sign=True)} .. "
            f"{points(row['delta_ci_high'], sign=True)}",
            row["status"],
        )
    screen.print(table)
    if len(rows) > top:
        screen.print(f"... and {len(rows) - top:,} more; --top {len(rows)} shows all")
    for line in explanation(document):
        screen.print(line, markup=False)


def explanation(document: Mapping[str, Any]) -> list[str]:
    """What the figures are, and how far the winner's can be trusted."""
    lines = [
        f"{document['objective']} in points. spread: standard deviation over a config's cells. "
        f"gain: paired, over {document['baseline'] or 'no baseline'}."
    ]
    highs = [row["ci_high"] for row in document["configs"] if row["ci_high"] is not None]
    best = max((row["mean"] for row in document["configs"]), default=0.0)
    if best <= 1 and any(high > 1 for high in highs):
        lines.append("An interval that ends above 100 points says that its cells are too few.")
    winner = document["winner"]
    if winner is None:
        lines.append("No config has all its cells yet, so there is no winner.")
    else:
        lines += [*_correction(winner), *_rivals(document, winner)]
    lines += _nested(document)
    if document["cells_failed"]:
        lines.append(
            f"{document['cells_failed']} cells failed or diverged; they are missing above, "
            "not averaged away."
        )
    return lines + [f"Warning: {suspect['meaning']}" for suspect in document["inert_suspects"]]


def _correction(winner: Mapping[str, Any]) -> list[str]:
    if winner["corrected"] is None:
        return []
    if winner["corrected_by"] == "bbc-cv":
        how = "BBC-CV, a bootstrap over the rows of the out-of-fold predictions"
    else:
        note = winner["corrected_note"]
        how = f"a bootstrap over blocks{f' (no BBC-CV: {note})' if note else ''}"
    interval = (
        ""
        if winner["corrected_low"] is None
        else f", 95% interval {points(winner['corrected_low'])} .. "
        f"{points(winner['corrected_high'])}"
    )
    corrected = f"{points(winner['corrected'])}{interval}"
    stopped = winner["competed"] - winner["compared"]
    picked = (
        f"The winner's {points(winner['mean'])} was picked as the best of {winner['compared']} "
        f"complete configs; corrected for that luck"
    )
    surrogate = winner["corrected_surrogate"]
    if surrogate is None:
        return [f"{picked} by {how}, it is {corrected}."]
    return [
        f"{picked} it is {corrected}: the less flattering of {points(surrogate)} "
        f"by the race's model, which knows the {stopped:,} configs that were stopped early too, "
        f"and {points(winner['corrected_resampled'])} by {how}."
    ]


def _nested(document: Mapping[str, Any]) -> list[str]:
    nested = document["nested"]
    if nested is None:
        return []
    folds = nested["folds"]
    what = (
        f"Nested cross-validation, {len(folds)} outer folds of seed {nested['seed']}, each with a "
        "sweep of its own over the other rows"
    )
    if nested["mean"] is None:
        failed = [str(fold["fold"]) for fold in folds if fold["score"] is None]
        return [f"{what}: no score, the pick's cell failed on fold {', '.join(failed)}."]
    same = nested["winner_mean"]
    own = "" if same is None else f"; the winner has {points(same)} on these cells"
    spread = f", spread {points(nested['std'])}" if nested["std"] is not None else ""
    return [f"{what}: {points(nested['mean'])}{spread}{own}."]


def _rivals(document: Mapping[str, Any], winner: Mapping[str, Any]) -> list[str]:
    lines = []
    versus = winner["versus_baseline"]
    if versus is not None:
        lines.append(
            f"Against {document['baseline']} the winner is better by more than "
            f"{points(document['rope'])} points with probability {versus['better']:.2f}, "
            f"practically equal {versus['equal']:.2f}, worse {versus['worse']:.2f}."
        )
    tied = winner["indistinguishable"]
    by_config = {_label(row["config"]): row["name"] for row in document["configs"]}
    labels = [_label(config) for config in tied]
    named = [f"{label} ({by_config[label]})" if by_config[label] else label for label in labels]
    more = len(named) - _NAMED
    shown = "; ".join(named[:_NAMED]) + (f"; and {more} more" if more > 0 else "")
    count = f"{len(tied)} complete config{'s' if len(tied) != 1 else ''}"
    lines.append(f"{count} cannot be told from the winner at 5%{': ' + shown if shown else ''}.")
    left = winner["p_best_incomplete"]
    if document["p_best_by"] == "surrogate" and left is not None:
        lines.append(
            "P(best) is shared out over all configs by the race's model; "
            f"{left:.2f} of it lies on configs that do not have all their cells."
        )
    return lines
