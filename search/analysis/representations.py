"""Representations of a sweep side by side: table, figures, pictures."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from search.errors import InputError
from search.planning.plan import Plan
from search.process import launchers
from search.results.outcome import SweepResult
from trainables.analysis import pca, separation, token_correlation
from trainables.engine.cells.trainable import Trainable
from trainables.engine.features import extraction, representation
from trainables.engine.features.representation import Fitted, Representation
from trainables.engine.splits import folds
from trainables.engine.text_data import TextData


@dataclass
class Drawn:
    """Files and figures of a comparison.

    Attributes:
        rows: A row of the table each, as JSON.
        table: The same as text.
        files: Files that were written.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    table: str = ""
    files: list[Path] = field(default_factory=list)


def check(plan: Plan) -> None:
    """Refuse a sweep without representations to draw.

    Raises:
        InputError: if the sweep trained no heads on representations.
    """
    if not Trainable.load(plan.space.trainable).may_train_heads:
        raise InputError(
            f"--pictures shows representations, and sweep {plan.spec.name!r} of "
            f"{plan.space.trainable!r} has none of its own: sweep linear_eval with its model."
        )


@launchers.forgotten()
def draw(outcome: SweepResult, data: TextData, folder: Path, sentence: str | None) -> Drawn:
    """Measure and draw every representation that the sweep's configs have.

    The test part is the sweep's own first fold, or its held-out share; what is fitted is fitted on
    the rest.

    Args:
        outcome: The sweep, of a trainable that trains heads.
        data: Its data.
        folder: Folder of the pictures.
        sentence: Whose tokens to correlate; None takes the paper's.

    Raises:
        InputError: as `check`.
    """
    plan = outcome.plan
    check(plan)
    configs_of = _wanted(plan)
    train, test = folds.held_out(data, plan.task.split, plan.spec.seeds[0], 0)
    drawn = Drawn()
    panels = []
    for features in sorted(configs_of, key=_paper_order):
        values, facts = _features(plan, data, features)
        numbers = separation.measure(
            values[train], data.labels[train], values[test], data.labels[test]
        )
        row = _row(outcome, features, values.shape[1], facts, numbers)
        drawn.rows.append(row)
        case = f"({row['case']}) " if row["case"] else ""
        note = f"silhouette {numbers.silhouette:.3f}, linear {numbers.linear:.3f}"
        panels.append(pca.Panel(case + features.name, values[test], data.labels[test], note))
    page = folder / "representations.png"
    title = f"{plan.spec.name}: {len(test):,} test rows on their first two principal components"
    pca.page(panels, data.label_names, title, page)
    drawn.table = _as_text(drawn.rows)
    table = folder / "representations.md"
    table.write_text(drawn.table + "\n", encoding="utf-8")
    file = folder / "representations.json"
    file.write_text(json.dumps(drawn.rows, indent=2), encoding="utf-8")
    tokens = folder / "tokens.png"
    words, correlations = token_correlation.matrices(
        sentence or token_correlation.SENTENCE, plan.task.model
    )
    token_correlation.picture(
        words, correlations, f"tokens of one sentence, {plan.task.model}", tokens
    )
    drawn.files = [page, table, file, tokens]
    return drawn


def _wanted(plan: Plan) -> dict[Representation, list[int]]:
    """The representations of a plan's configs, and which configs have them."""
    trainable = Trainable.load(plan.space.trainable)
    configs_of: dict[Representation, list[int]] = {}
    for index, config in enumerate(plan.configs):
        features = trainable.representation(trainable.bind(config))
        # None for a config that trains the features' encoder, too.
        if features is not None:
            configs_of.setdefault(features, []).append(index)
    return configs_of


def _paper_order(one: Representation) -> tuple[str, str]:
    paper = representation.card_of(one.name).paper
    return ("z" if paper is None else paper[0], one.name)


def _features(
    plan: Plan, data: TextData, one: Representation
) -> tuple[np.ndarray, dict[str, float]]:
    """Features of all rows, with the report of their extraction."""
    block = (plan.spec.seeds[0], 0)
    if isinstance(representation.card_of(one.name), Fitted):
        ticker = extraction.Ticker(one.name)
        tables = extraction.tables(data, plan.task.model, one, plan.task.split, [block])
        return tables.values.numpy(), {"seconds": ticker.seconds}
    made = extraction.extract(data, plan.task.model, one)
    return made.values.numpy(), {**made.facts, "seconds": made.seconds}


def _row(
    outcome: SweepResult,
    one: Representation,
    width: int,
    facts: dict[str, float],
    numbers: separation.Separation,
) -> dict[str, Any]:
    plan, card = outcome.plan, representation.card_of(one.name)
    mine = set(_wanted(plan)[one])
    complete = [row for row in outcome.standings.rows if row.config in mine]
    full = max((row.cells for row in complete), default=0)
    rows = [row for row in complete if row.cells == full]
    best = max(rows, key=lambda row: row.mean) if rows else None
    return {
        "case": None if card.paper is None else card.paper[0],
        "representation": one.name,
        "width": width,
        "paper": None if card.paper is None else card.paper[1],
        "score": None if best is None else best.mean,
        "ci_low": None if best is None else best.ci_low,
        "ci_high": None if best is None else best.ci_high,
        "cells": 0 if best is None else best.cells,
        "config": None if best is None else plan.axes_of(best.config),
        **asdict(numbers),
        **facts,
    }


_HEAD = (
    "case", "representation", "dim", "paper", "here", "95% interval", "cells", "linear",
    "in plane", "silhouette", "alignment", "uniformity", "anisotropy", "OOV", "features s",
)  # fmt: skip


def _as_text(rows: list[dict[str, Any]]) -> str:
    """Format the table as Markdown.

    `here` is the best mean over weight decays and epochs.
    """
    lines = [list(_HEAD), ["---", "---", *["--:"] * (len(_HEAD) - 2)]]
    for row in rows:
        interval = "-"
        if row["ci_low"] is not None:
            interval = f"{row['ci_low']:.3f}..{row['ci_high']:.3f}"
        lines.append(
            [
                f"({row['case']})" if row["case"] else "-",
                row["representation"],
                str(row["width"]),
                _number(row["paper"]),
                _number(row["score"]),
                interval,
                str(row["cells"]),
                *(_number(row[name]) for name in ("linear", "in_plane", "silhouette")),
                *(_number(row[name]) for name in ("alignment", "uniformity", "anisotropy")),
                _number(row.get("oov_share")),
                f"{row['seconds']:.1f}",
            ]
        )
    widths = [max(len(line[i]) for line in lines) for i in range(len(_HEAD))]
    return "\n".join(
        "| " + " | ".join(text.ljust(w) for text, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
