"""The leaderboard on the screen, and its figures explained in words."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from search.console.screen import Column, label_table, screen_of
from search.formatting import counted, measured, off_grid, points, unit
from search.results.answer import decided
from trainables.engine.training.scoring import low_is_good

_NAMED = 3  # of the configs that cannot be told from the winner


def show_leaderboard(document: Mapping[str, Any], top: int = 20) -> None:
    """The answer, then the configs, best first; scores in points (per cent)."""
    screen = screen_of(sys.stdout)
    rows: Sequence[dict[str, Any]] = document["configs"]
    shown = rows[:top]
    screen.print(f"{document['answer']}\n", style="bold")
    screen.print(_title(document))
    labels = [row["label"] for row in shown]
    screen.print(label_table("config", labels, _columns(document, shown), screen.width))
    if len(rows) > top:
        screen.print(f"... and {len(rows) - top:,} more; --top {len(rows)} shows all")
    screen.print()
    for line in explanation(document):
        screen.print(line)


def _title(document: Mapping[str, Any]) -> str:
    reused = document["cells_reused"]
    title = f"{document['sweep']}: {counted(document['cells_done'], 'cell')}"
    if reused:
        title += f", {reused:,} of them from other sweeps"
    shared = document["shared_label"]
    return f"{title}; all with {shared}" if shared else title


def status_of(row: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """Status of a config in a word.

    A winner that nothing was shown of is but the first.
    """
    if row["status"] == "winner" and not decided(document):
        return "first"
    return str(row["status"])


def _columns(document: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[Column]:
    def interval(row: Mapping[str, Any], name: str, sign: bool = False) -> str:
        low, high = row[f"{name}_low"], row[f"{name}_high"]
        return "-" if low is None else f"{points(low, sign)} .. {points(high, sign)}"

    return [
        Column("#", [str(row["rank"]) for row in rows], giving=5),
        Column("mean", [points(row["mean"]) for row in rows]),
        Column("95% interval", [interval(row, "ci") for row in rows], 8, wide_only=True),
        Column("spread", [points(row["std"]) for row in rows], 9, wide_only=True),
        Column("cells", [str(row["cells"]) for row in rows], giving=3),
        Column(
            "P(best)",
            ["-" if row["p_best"] is None else f"{row['p_best']:.2f}" for row in rows],
            giving=2,
        ),
        *(
            Column(name, [measured(name, row["metrics"][name]) for row in rows])
            for name in (rows[0].get("metrics", {}) if rows else ())
        ),
        *(
            [Column("front", ["*" if row["front"] else "" for row in rows])]
            if document.get("criterion")
            else []
        ),
        Column("gain", [points(row["delta_baseline"], sign=True) for row in rows], giving=1),
        Column(
            "95% interval", [interval(row, "delta_ci", True) for row in rows], 7, wide_only=True
        ),
        Column("status", [status_of(row, document) for row in rows], giving=6, left=True),
    ]


def explanation(document: Mapping[str, Any]) -> list[str]:
    """Lines that explain the figures and how far to trust the winner."""
    lines = [
        f"{document['objective']} in {unit(document['objective'])}. spread: standard deviation "
        f"over a config's cells. gain: paired, over {document['baseline'] or 'no baseline'}."
    ]
    if document.get("criterion"):
        lines.append(
            f"front: no other complete config has both a better {document['objective']} and less "
            f"{document['criterion']}."
            if low_is_good(document["criterion"])
            else f"front: no other complete config is better in both {document['objective']} and "
            f"{document['criterion']}."
        )
    if document.get("off_grid"):
        lines.append(off_grid(document["off_grid"]))
    if any(row["cells"] < document["blocks"] for row in document["configs"]):
        lines.append(
            "The mean of a config that lacks cells is adjusted for the blocks that it lacks."
        )
    highs = [row["ci_high"] for row in document["configs"] if row["ci_high"] is not None]
    best = max((row["mean"] for row in document["configs"]), default=0.0)
    in_points = unit(document["objective"]) == "points"
    if in_points and best <= 1 and any(high > 1 for high in highs):
        lines.append("An interval that ends above 100 points says that its cells are too few.")
    winner = document["winner"]
    if winner is None:
        lines.append("No config has all its cells yet, so there is no winner.")
    else:
        lines += [*_correction(winner), *_rivals(document, winner)]
    lines += [*_nested(document), *_prior(document)]
    if document["cells_failed"]:
        failed = document["cells_failed"]
        lines.append(
            f"{counted(failed, 'cell')} failed or diverged: missing above, not averaged away."
        )
    lines += ending(document)
    return lines + [f"Warning: {suspect['meaning']}" for suspect in document["inert_suspects"]]


def ending(document: Mapping[str, Any]) -> list[str]:
    """Line on why a sweep stopped, and its untried configs.

    There is none while the sweep goes on.
    """
    if document["stopped"] is None:
        return []
    never = document["never_tried"]
    untried = "" if not never else f"; {counted(never, 'config')} never tried"
    return [f"Stopped because {document['stopped']}{untried}."]


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
        f"The best mean, {points(winner['mean'])}, was picked from {winner['compared']:,} "
        f"complete configs; corrected for that luck"
    )
    surrogate = winner["corrected_surrogate"]
    if surrogate is None:
        return [f"{picked} by {how}, it is {corrected}."]
    known = f"the {stopped:,} incomplete configs too" if stopped else "the noise of training"
    return [
        f"{picked} it is {corrected}: the less flattering of {points(surrogate)} "
        f"by the race's model, which knows {known}, "
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


def _prior(document: Mapping[str, Any]) -> list[str]:
    """Lines on earlier sweeps that guided the race."""
    lines = []
    for one in document.get("prior", ()):
        took = (
            f"Prior: sweep {one['sweep']} ({one['data']}, {one['model']}; "
            f"{counted(one['cells'], 'cell')}) told {one['configs']:,} configs by "
            f"{', '.join(one['axes'])}, and named some of the first cells"
        )
        if one["weight"] is None:
            lines.append(f"{took}.")
            continue
        agreed = (
            ""
            if one["agreement"] is None
            else f", and the ranks agree by {one['agreement']:+.2f} where both have cells"
        )
        lines.append(
            f"{took}; in the end a config better by one spread there was held to be "
            f"{points(one['weight'], sign=True)} points better here{agreed}."
        )
    if lines:
        lines.append("No prior has a part in the winner, P(best), the correction or an interval.")
    return lines


def _tied(document: Mapping[str, Any], winner: Mapping[str, Any]) -> str:
    """Say which complete configs cannot be told from the winner."""
    if winner["compared"] < 2:
        return "No other config is complete."
    tied = winner["indistinguishable_labels"]
    who = "the winner" if decided(document) else "the first"
    if not tied:
        return f"Every other complete config is told from {who} at 5%."
    more = len(tied) - _NAMED
    shown = "; ".join(tied[:_NAMED]) + (f"; and {more} more" if more > 0 else "")
    return f"{counted(len(tied), 'complete config')} cannot be told from {who} at 5%: {shown}."


def _rivals(document: Mapping[str, Any], winner: Mapping[str, Any]) -> list[str]:
    lines = []
    versus, gain = winner["versus_baseline"], winner["gain_corrected"]
    if versus is not None:
        picked = "" if winner["corrected"] is None else "with the luck of the pick taken off, "
        lines.append(
            f"Its gain over {document['baseline']}, {picked}is {points(gain, sign=True)} "
            f"({points(winner['gain_corrected_low'], sign=True)} .. "
            f"{points(winner['gain_corrected_high'], sign=True)}): better by more than "
            f"{points(document['rope'])} {unit(document['objective'])} "
            f"with probability {versus['better']:.2f}, "
            f"practically equal {versus['equal']:.2f}, worse {versus['worse']:.2f}."
        )
    lines.append(_tied(document, winner))
    left = winner["p_best_stopped"]
    stopped = sum(row["status"] == "partial" for row in document["configs"])
    if document["p_best_by"] == "surrogate" and left is not None and stopped:
        state = "stopped early: not told from it, but left"
        if document["stopped"] is None:
            state = "not through yet"
        lines.append(
            f"{counted(stopped, 'config')} {state}; the best is among them with probability "
            f"{left:.2f}, by the race's model."
        )
    return lines
