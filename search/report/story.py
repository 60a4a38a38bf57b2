"""A sweep in words: question, answer, certainty, cost, reproduction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from search.console.leaderboard import explanation, status_of
from search.formatting import duration
from search.planning.notes import licences
from search.report.effects import Effects
from search.report.evidence import Evidence, data_label, model_label
from search.report.figures.style import Picture, number, points
from search.report.paper import Verdict, data_key, known_rows
from search.results.answer import decided
from search.spec.arguments import recipe

_TOP = 20
_SHOWN = 8  # with all metrics


@dataclass(frozen=True)
class Fact:
    """A figure of the answer, with what it means."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Story:
    """Words and rows of one sweep's page; see the templates.

    Attributes:
        name: Name of the sweep.
        question: Question of the sweep.
        answer: Answer in a sentence or two.
        facts: The answer's figures.
        rows: The leaderboard, best first, as texts.
        left: Configs that the leaderboard leaves out.
        shared: Axes that have one value in the whole sweep; empty where all vary.
        notes: Meaning of the figures, and warnings.
        metrics: Rows of the table of all metrics, as texts; the first holds the configs' ranks.
        axes: Rows of the table of axes, as texts.
        verdicts: The paper's tables beside ours.
        no_verdict: Why there is none.
        told: Facts on how the sweep was made, by name.
        commands: Commands that make it again, and that look at it.
        pictures: The figures, by name.
    """

    name: str
    question: str
    answer: str
    facts: tuple[Fact, ...]
    rows: tuple[Mapping[str, str], ...]
    left: int
    shared: str
    notes: tuple[str, ...]
    metrics: tuple[tuple[str, ...], ...]
    axes: tuple[Mapping[str, str], ...]
    verdicts: tuple[Verdict, ...]
    no_verdict: str
    told: Mapping[str, str]
    commands: tuple[str, ...]
    pictures: Mapping[str, Picture] = field(default_factory=dict)

    @property
    def sections(self) -> dict[str, str]:
        """Titles of the page's sections that this sweep has, by anchor."""
        there = {
            "leaderboard": ("Leaderboard", "leaders" in self.pictures),
            "trust": ("How far these figures can be trusted", self.notes),
            "gain": ("The gain, cell by cell", "gain-per-cell" in self.pictures),
            "metrics": ("All metrics", self.metrics),
            "axes": ("The axes", self.axes),
            "search": ("The search", "race" in self.pictures),
            "models": ("The models", {"confusion", "learning-curves"} & set(self.pictures)),
            "paper": ("Beside the paper", self.verdicts),
            "again": ("Again", True),
        }
        return {anchor: title for anchor, (title, has) in there.items() if has}


def tell(
    evidence: Evidence,
    effects: Effects,
    verdicts: Sequence[Verdict],
    pictures: Sequence[Picture],
) -> Story:
    """Put a sweep into words."""
    plan = evidence.plan
    configs = "config" if len(plan.configs) == 1 else "configs"
    return Story(
        name=plan.spec.name,
        question=(
            f"Which of {len(plan.configs):,} {configs} of {plan.spec.space} is best on "
            f"{data_label(plan)}{',' if ',' in data_label(plan) else ''} with "
            f"{model_label(plan)}, by {plan.space.objective} over "
            f"{len(plan.blocks)} cells?"
        ),
        answer=str(evidence.document["answer"]),
        facts=tuple(_facts(evidence)),
        rows=tuple(_board(evidence)),
        left=max(0, len(evidence.standings.rows) - _TOP),
        shared=plan.labels.title,
        notes=(*explanation(evidence.document), *_without_confusion(evidence)),
        metrics=tuple(_metrics(evidence)),
        axes=tuple(_axes(effects)),
        verdicts=tuple(verdicts),
        no_verdict="" if verdicts else _no_verdict(evidence),
        told=_told(evidence),
        commands=(
            f"{recipe(plan.spec)} --name {plan.spec.name}",
            f"foldrace report {plan.spec.name}",
        ),
        pictures={picture.name: picture for picture in pictures},
    )


def _gain(evidence: Evidence) -> tuple[str, str]:
    """The winner's corrected gain over the baseline, and its meaning."""
    winner = evidence.document["winner"]
    low, high = winner["gain_corrected_low"], winner["gain_corrected_high"]
    gain = points(winner["gain_corrected"], True)
    if low is not None:
        gain += f" ({points(low, True)} to {points(high, True)}, 95%)"
    if winner["corrected"] is None:
        return gain, "paired, by cell"
    return gain, f"paired, by cell, corrected; {points(winner['gain'], True)} as picked"


def _facts(evidence: Evidence) -> list[Fact]:
    facts: list[Fact] = []
    standings, plan = evidence.standings, evidence.plan
    winner, correction = evidence.standing(standings.winner), standings.correction
    if winner is not None:
        name = "Winner" if decided(evidence.document) else "Best mean, not shown to be best"
        facts.append(Fact(name, plan.label(winner.config)))
        own = (
            ""
            if winner.ci_low is None or winner.ci_high is None
            else f"95% interval {points(winner.ci_low)} to {points(winner.ci_high)}"
        )
        facts.append(Fact(f"Its {plan.space.objective}", points(winner.mean), own))
        if correction is not None:
            by = "BBC-CV" if correction.by == "bbc-cv" else "a bootstrap over blocks"
            facts.append(
                Fact(
                    "Corrected for having been picked",
                    points(correction.score),
                    f"as the best of {standings.compared:,} complete configs, by {by}",
                )
            )
        if plan.baseline is not None and winner.config != plan.baseline:
            name = plan.names[plan.baseline]
            facts.append(Fact(f"Gain over {name}", *_gain(evidence)))
        if winner.p_best is not None:
            facts.append(
                Fact("Probability of being the best", f"{winner.p_best:.2f}", "of all configs")
            )
        tied = len(standings.indistinguishable)
        facts.append(
            Fact(
                "Cannot be told from it",
                f"{tied:,} of {max(standings.compared - 1, 0):,}",
                "complete configs, paired test at 5%",
            )
        )
        left = evidence.document["winner"]["p_best_stopped"]
        stopped = sum(row.status == "partial" for row in standings.rows)
        if stopped and left is not None:
            facts.append(
                Fact(
                    "Not through yet" if evidence.document["stopped"] is None else "Stopped early",
                    f"{stopped:,}",
                    f"configs; the best is among them with probability {left:.2f}",
                )
            )
    used, whole = len(evidence.arrivals), evidence.exhaustive_cells
    facts.append(
        Fact(
            "Cells used",
            f"{used:,} of {whole:,}",
            f"{100 * used / whole:.1f}% of an exhaustive search",
        )
    )
    exhaustive = evidence.exhaustive_seconds
    if exhaustive is not None:
        facts.append(
            Fact(
                "Training time",
                duration(evidence.seconds),
                f"an exhaustive search would take about {duration(exhaustive)}, from the cells "
                "measured",
            )
        )
    if evidence.document["cells_failed"]:
        facts.append(
            Fact("Failed or diverged", f"{evidence.document['cells_failed']:,}", "cells, missing")
        )
    return facts


def _board(evidence: Evidence) -> list[dict[str, str]]:
    plan = evidence.plan

    def reach(low: float | None, high: float | None, sign: bool = False) -> str:
        if low is None or high is None:
            return "-"
        return f"{points(low, sign)} to {points(high, sign)}"

    return [
        {
            "rank": str(rank),
            "config": plan.label(row.config),
            "mean": points(row.mean),
            "interval": reach(row.ci_low, row.ci_high),
            "cells": str(row.cells),
            "p_best": "-" if row.p_best is None else f"{row.p_best:.2f}",
            "gain": "-" if row.delta is None else points(row.delta, True),
            "gain_interval": reach(row.delta_low, row.delta_high, True),
            "status": status_of({"status": row.status}, evidence.document),
        }
        for rank, row in enumerate(evidence.standings.rows[:_TOP], start=1)
    ]


def _metrics(evidence: Evidence) -> list[tuple[str, ...]]:
    """Metrics of the complete leaders; none if only the objective is there.

    A row a metric, for a phone's width has no room for all of them side by side.
    """
    ranked = enumerate(evidence.standings.rows, start=1)
    shown = [
        (rank, evidence.metrics[row.config])
        for rank, row in ranked
        if evidence.metrics.get(row.config)
    ][:_SHOWN]
    names = sorted({name for _, metrics in shown for name in metrics})
    if len(set(names) - {"parameters"}) < 2:
        return []
    rows = [("metric", *(f"#{rank}" for rank, _ in shown))]
    for name in names:
        digits = 0 if name == "parameters" else 4
        values = (
            f"{metrics[name]:,.{digits}f}" if name in metrics else "-" for _, metrics in shown
        )
        rows.append((name.replace("_", " "), *values))
    return rows


def _axes(effects: Effects) -> list[dict[str, str]]:
    """Rows of the axes' table, with shares where there are several."""
    several, scale = len(effects.axes) > 1, 100 * (1 - effects.noise)
    return [
        {
            "axis": axis.name,
            "share": f"{scale * axis.importance:.0f}%" if several else "-",
            "interval": f"{scale * axis.importance_low:.0f} to {scale * axis.importance_high:.0f}%"
            if several
            else "-",
            "values": ", ".join(
                f"{number(value)}: {points(float(mean))}"
                for value, mean in zip(axis.values, axis.mean, strict=True)
            ),
        }
        for axis in effects.axes
    ]


def _without_confusion(evidence: Evidence) -> list[str]:
    note = evidence.confusion_note
    return [] if evidence.confusions or not note else [f"No confusion matrix: {note}."]


def _no_verdict(evidence: Evidence) -> str:
    plan = evidence.plan
    known = known_rows(plan)
    if not known:
        return (
            f"The space {plan.spec.space} is no paper's, or its paper has no table that is kept: "
            "no verdict can be given."
        )
    return (
        f"The paper's tables have no row for {data_key(plan)}; they have {', '.join(known)}. "
        "A row is found by the data's name and the number of training rows (trec-1k, which is trec "
        "with --train-rows 1000); a drawn subset is none of the papers' data."
    )


def _told(evidence: Evidence) -> dict[str, str]:
    plan, spec = evidence.plan, evidence.plan.spec
    split = f"{spec.folds} folds" if spec.folds else f"hold-out {spec.holdout}"
    started = dt.datetime.fromtimestamp(evidence.record.started, dt.UTC)
    kept = plan.space.keyed(plan.space.fixed)
    facts: dict[str, Any] = {
        "space": f"{spec.space}: {plan.space.source}",
        "data": f"{data_label(plan)}, {evidence.rows:,} rows, {len(evidence.classes)} classes"
        if evidence.rows
        else data_label(plan),
        "model": model_label(plan),
        **{f"licence of the {what}": said for what, said in licences(plan).items()},
        "protocol": f"seeds {', '.join(map(str, spec.seeds))} x {split}",
        "strategy": spec.strategy,
        "fixed": ", ".join(f"{name}={number(v)}" for name, v in kept.items()),
        "data fingerprint": plan.task.data_fingerprint[:16],
        "model fingerprint": plan.task.model_fingerprint[:16],
        "started": f"{started:%Y-%m-%d %H:%M} UTC",
        "MLflow run": evidence.record.id,
    }
    return {name: str(value) for name, value in facts.items()}
