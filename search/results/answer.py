"""Sentences on a sweep, a config and a cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search.formatting import counted, duration, hundredths, points, unit
from trainables.engine.contract import CellResult

_FEWEST = 3  # blocks for an interval
_LIKELY = 0.5  # probability that the best config is not among the complete ones


def decided(document: Mapping[str, Any]) -> bool:
    """True if the winner's corrected gain lies beyond its interval.

    Without a baseline, whether any complete config can be told from the winner.
    """
    winner = document["winner"]
    if winner is None or winner["compared"] < 2:
        return False
    if document["baseline"] is None or winner["name"] == document["baseline"]:
        return bool(len(winner["indistinguishable"]) < winner["compared"] - 1)
    low, high = winner["gain_corrected_low"], winner["gain_corrected_high"]
    if low is None or high is None:
        return False
    return bool(low > 0 if document["mode"] == "max" else high < 0)


def answer(document: Mapping[str, Any]) -> str:
    """First line of the leaderboard, the report and MLflow's note."""
    winner, baseline = document["winner"], document["baseline"]
    blocks = counted(document["blocks"], "block")
    if winner is None:
        return f"Nothing can be named yet: no config has all of its {blocks}."
    if (early := _too_early(document, winner, blocks)) is not None:
        return early
    if not decided(document):
        return _nobody(document, blocks)
    if baseline is None:
        return _best(document, winner)
    if winner["name"] == baseline:
        return f"Nothing with all of its {blocks} beats {baseline} ({points(winner['mean'])})."
    return _better(document, winner)


def of_config(
    standing: Mapping[str, float | None], objective: str, cells: int, blocks: int, seconds: float
) -> str:
    """Describe a config: the note of its run in MLflow.

    Args:
        standing: Its `mean`, and what is known of `ci_low`, `ci_high`, `gain` and `p_best`.
        objective: Name of the metric.
        cells: Number of its scores.
        blocks: Number of cells of a complete config.
        seconds: Training time of all of its cells.
    """
    if standing.get("mean") is None:
        return (
            f"None of its {counted(blocks, 'cell')} has a score yet. "
            f"Trained in {duration(seconds)}."
        )
    low, high = standing.get("ci_low"), standing.get("ci_high")
    interval = "" if low is None or high is None else f" ({points(low)} to {points(high)})"
    parts = [
        f"{objective} {points(standing['mean'])} {unit(objective)}{interval} over {cells} of "
        f"{counted(blocks, 'cell')}"
    ]
    if (gain := standing.get("gain")) is not None:
        parts.append(f"{points(gain, sign=True)} beside the baseline")
    if (chance := standing.get("p_best")) is not None:
        parts.append(f"the best config with probability {hundredths(chance)}")
    return f"{'; '.join(parts)}. Trained in {duration(seconds)}."


def of_cell(result: CellResult, objective: str, seed: int, fold: int, config: str) -> str:
    """Describe a cell: the note of its run in MLflow.

    Args:
        result: Its result.
        objective: Name of the metric.
        seed: Its seed.
        fold: Its fold.
        config: Label of its config.
    """
    where = f"seed {seed}, fold {fold} of {config}"
    score = result.metrics.get(objective)
    if result.status != "done" or score is None:
        reason = f"it has no metric {objective!r}"
        if result.status != "done":
            reason = f"{result.status}, {result.error}" if result.error else result.status
        return f"No score on {where}: {reason}"
    seconds = result.metrics.get("seconds")
    time = "" if seconds is None else f", trained in {duration(seconds)}"
    return f"{objective} {points(score)} {unit(objective)} on {where}{time}."


def _too_early(document: Mapping[str, Any], winner: Mapping[str, Any], blocks: str) -> str | None:
    """Reason why configs cannot be compared yet; None if they can."""
    if winner["compared"] < 2:
        return (
            f"Only {winner['label']} has all of its {blocks} ({points(winner['mean'])} "
            f"{unit(document['objective'])}): "
            "there is nothing to tell it from."
        )
    if document["blocks"] < _FEWEST:
        return f"Nothing can be told apart on {blocks}: {_FEWEST} are the fewest for an interval."
    left = winner["p_best_stopped"]
    if document["p_best_by"] == "surrogate" and left is not None and left > _LIKELY:
        return (
            f"Not decided: the best config is probably one that lacks cells (probability "
            f"{left:.2f}). Of those with all of their {blocks}, {winner['label']} leads with "
            f"{points(winner['mean'])} {unit(document['objective'])}."
        )
    return None


def _better(document: Mapping[str, Any], winner: Mapping[str, Any]) -> str:
    # As improvements, also where a low score is good.
    sign = 1 if document["mode"] == "max" else -1
    low, high = sorted(sign * winner[f"gain_corrected_{end}"] for end in ("low", "high"))
    return (
        f"{winner['label']} is better than {document['baseline']} by "
        f"{points(sign * winner['gain_corrected'])} {unit(document['objective'])} "
        f"({points(low)} to {points(high)}), "
        f"the luck of the pick taken off{_equals(winner)}."
    )


def _equals(winner: Mapping[str, Any]) -> str:
    tied = len(winner["indistinguishable"])
    if not tied:
        return ""
    return f"; {tied:,} of {winner['compared'] - 1:,} other finalists cannot be told from it"


def _nobody(document: Mapping[str, Any], blocks: str) -> str:
    winner, baseline = document["winner"], document["baseline"]
    if baseline is None:
        return f"The {winner['compared']:,} complete configs cannot be told apart on {blocks}."
    others = winner["compared"] - 1
    if len(winner["indistinguishable"]) == others:
        return f"No config can be told from {baseline} on these {blocks}."
    return f"No config is shown to be better than {baseline} on these {blocks}."


def _best(document: Mapping[str, Any], winner: Mapping[str, Any]) -> str:
    corrected = winner["corrected"]
    less = "" if corrected is None else f", {points(corrected)} with the luck of the pick taken off"
    mean = f"{points(winner['mean'])} {unit(document['objective'])}"
    return f"{winner['label']} is the best: {mean}{less}{_equals(winner)}."
