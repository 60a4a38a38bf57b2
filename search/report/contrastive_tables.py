"""The tables of the label-aware contrastive paper, with finished sweeps beside them.

By task, by number of classes and by hard label set: cross-entropy, SCL and LCL, the paper's
accuracy and ours, what the paired test says of each loss beside cross-entropy, and the entropy of
the predictions (the slides' confidence comparison).

Source: Not All Negatives are Equal (Suresh and Ong, EMNLP 2021), slides; accuracy with ELECTRA-base
on the official test parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from search import stats
from search.plan import Plan
from search.records import LoggedCell
from search.standings import ROPE, held_out_share

Triple = tuple[float, float, float]
"""Accuracy of cross-entropy, SCL and LCL, as fractions."""

LOSSES = ("none", "scl", "lcl")
TITLES = {"none": "cross-entropy", "scl": "SCL", "lcl": "LCL"}

BY_TASK: Mapping[str, Triple] = {
    "sst5": (0.571, 0.574, 0.585),
    "sst2": (0.944, 0.943, 0.945),
    "empathetic-dialogues": (0.583, 0.585, 0.601),
    "goemotions": (0.648, 0.643, 0.655),
    "isear": (0.714, 0.705, 0.724),
    "emoint": (0.855, 0.857, 0.866),
}
BY_CLASSES: Mapping[str, Triple] = {
    "empathetic-dialogues": (0.581, 0.586, 0.601),
    "empathetic-dialogues-16": (0.688, 0.679, 0.696),
    "empathetic-dialogues-8": (0.780, 0.770, 0.787),
    "empathetic-dialogues-4": (0.892, 0.888, 0.888),
}
HARD_SETS: Mapping[str, Triple] = {
    "empathetic-dialogues-hard-d": (0.674, 0.681, 0.695),
    "empathetic-dialogues-hard-c": (0.543, 0.533, 0.556),
    "empathetic-dialogues-hard-b": (0.632, 0.637, 0.642),
    "empathetic-dialogues-hard-a": (0.561, 0.554, 0.575),
}


@dataclass(frozen=True)
class Gain:
    """A loss beside cross-entropy, over the cells that both have; fractions.

    Attributes:
        mean: Mean paired difference.
        low: Lower end of its corrected 95% interval.
        high: Upper end.
        chances: Probabilities of being better by more than the rope, equal within it, worse.
    """

    mean: float
    low: float
    high: float
    chances: stats.Comparison


@dataclass(frozen=True)
class Row:
    """One data set of a table.

    Attributes:
        data: Its name, with the size of a subset behind.
        model: What was trained.
        cells: Cells a config.
        paper: The paper's accuracies.
        means: Ours by loss: of its best complete config.
        gains: Of SCL and LCL over cross-entropy, where all cells of both are there.
        entropies: Mean entropy of the predictions in bits, by loss.
    """

    data: str
    model: str
    cells: int
    paper: Triple
    means: Mapping[str, float]
    gains: Mapping[str, Gain]
    entropies: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Finished:
    """A finished sweep of the space contrastive.

    Attributes:
        plan: Its plan.
        scores: Accuracy of each cell, (configs, blocks); nan where there is none.
        cells: The ledger's cells by key, for their entropy; may be empty.
    """

    plan: Plan
    scores: npt.NDArray[np.float64]
    cells: Mapping[str, LoggedCell] = field(default_factory=dict)


def rows(sweeps: Iterable[Finished], table: Mapping[str, Triple]) -> list[Row]:
    """The rows of a table that sweeps have something beside, in the table's order.

    Args:
        sweeps: Finished sweeps; of several on one data set each gives a row.
        table: BY_TASK, BY_CLASSES or HARD_SETS.
    """
    found = [(data_of(one.plan), one) for one in sweeps]
    order = list(table)
    kept = [(name, one) for name, one in found if name in table]
    kept.sort(key=lambda pair: order.index(pair[0]))
    return [_row(one, table[name]) for name, one in kept]


def data_of(plan: Plan) -> str:
    """The data set of a sweep as the tables call it, without the size of a subset."""
    head, _, size = _name(plan).rpartition("-")
    name = head if size.endswith("k") and size[:-1].isdigit() else _name(plan)
    return "sst2" if name == "sst2-sent" else name  # the paper's are the sentences


def _name(plan: Plan) -> str:
    return Path(plan.spec.data.name).stem.lower().replace("_", "-")


def _row(sweep: Finished, paper: Triple) -> Row:
    plan, best = sweep.plan, _best(sweep)
    subset = "" if plan.spec.data.subset is None else f", {plan.spec.data.subset:,} rows"
    entropies = {loss: _entropy(sweep, config) for loss, config in best.items()}
    return Row(
        data=f"{_name(plan)}{subset}",
        model=Path(plan.spec.model).name,
        cells=len(plan.blocks),
        paper=paper,
        means={loss: float(sweep.scores[config].mean()) for loss, config in best.items()},
        gains={
            loss: _gain(sweep.scores[config] - sweep.scores[best["none"]], held_out_share(plan))
            for loss, config in best.items()
            if loss != "none" and "none" in best and len(plan.blocks) > 1
        },
        entropies={loss: value for loss, value in entropies.items() if value is not None},
    )


def _best(sweep: Finished) -> dict[str, int]:
    """The complete config with the best mean, by loss."""
    complete = np.isfinite(sweep.scores).all(axis=1)
    best: dict[str, int] = {}
    for config in np.flatnonzero(complete).tolist():
        loss = str(sweep.plan.configs[config]["loss"])
        mean = sweep.scores[config].mean()
        if loss not in best or mean > sweep.scores[best[loss]].mean():
            best[loss] = config
    return best


def _gain(differences: npt.NDArray[np.float64], share: float) -> Gain:
    interval = stats.corrected_interval(differences, share)
    chances = stats.correlated_t_test(differences, share, ROPE)
    return Gain(interval.mean, interval.low, interval.high, chances)


def _entropy(sweep: Finished, config: int) -> float | None:
    """Mean over the config's cells; None where one of them has none."""
    keys = [key for key, pair in sweep.plan.keys.items() if pair[0] == config]
    values = [
        sweep.cells[key].metrics["entropy"]
        for key in keys
        if key in sweep.cells and "entropy" in sweep.cells[key].metrics
    ]
    return float(np.mean(values)) if values and len(values) == len(keys) else None


def verdict(gain: Gain) -> str:
    """What the paired test says, in a word or two and its probability."""
    chances = gain.chances
    said = {"better": chances.better, "equal": chances.equal, "worse": chances.worse}
    name = max(said, key=lambda word: said[word])
    return (
        f"{name} {said[name]:.2f}"
        if said[name] >= 0.95
        else f"cannot tell ({name} {said[name]:.2f})"
    )


def markdown(found: Sequence[Row]) -> str:
    """The rows as a Markdown table; accuracies and gains in points, the paper's in brackets."""
    head = [
        "data",
        "model",
        "cells",
        *(f"{TITLES[loss]} (paper)" for loss in LOSSES),
        *(f"{TITLES[loss]} - CE, 95%, verdict" for loss in LOSSES[1:]),
        "entropy CE / SCL / LCL, bits",
    ]
    lines = [head, ["---", "---", *["--:"] * 4, "---", "---", "---"]]
    lines += [_cells(row) for row in found]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _cells(row: Row) -> list[str]:
    scores = [
        f"{_points(row.means.get(loss))} ({100 * paper:.1f})"
        for loss, paper in zip(LOSSES, row.paper, strict=True)
    ]
    gains = []
    for loss in LOSSES[1:]:
        gain = row.gains.get(loss)
        gains.append(
            "-"
            if gain is None
            else f"{100 * gain.mean:+.2f}, {100 * gain.low:+.2f} .. {100 * gain.high:+.2f}, "
            f"{verdict(gain)}"
        )
    bits = [f"{row.entropies[one]:.2f}" if one in row.entropies else "-" for one in LOSSES]
    return [row.data, row.model, str(row.cells), *scores, *gains, " / ".join(bits)]


def _points(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:.2f}"
