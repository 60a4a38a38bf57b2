"""Figures of a result: the report's, as matplotlib figures."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from search.errors import InputError
from search.formatting import unit
from search.report.effects import axis_effects
from search.report.evidence import Evidence, collect
from search.report.figures import axes, confusion, race, scores
from search.report.figures.style import Picture, look

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from search.results.outcome import SweepResult


class Plots:
    """Figures of one sweep; each call draws one."""

    def __init__(self, result: SweepResult) -> None:
        self._result = result

    @cached_property
    def _evidence(self) -> Evidence:
        spec = self._result.plan.spec
        return collect(spec.tracking_uri, spec.experiment, self._result.sweep_id)

    def race(self) -> Figure:
        """Configs tried, alive and complete, cell by cell."""
        return _figure(lambda: race.race(self._evidence), "no cell is there yet")

    def leaders(self) -> Figure:
        """The best configs with their intervals."""
        return _figure(lambda: scores.leaders(self._evidence), "no cell is there yet")

    def gain(self) -> Figure:
        """The winner's gain over the baseline, cell by cell."""
        return _figure(
            lambda: scores.gains(self._evidence),
            "no two complete configs are there to be compared, as a baseline and another",
        )

    def axes(self) -> Figure:
        """Mean score along each axis."""
        evidence = self._evidence
        effects = axis_effects(evidence.plan, evidence.table.scores)
        objective = evidence.plan.space.objective
        return _figure(
            lambda: axes.effect(effects, objective, unit(objective)) if effects.axes else None,
            "no axis has several values with cells",
        )

    def learning(self) -> Figure:
        """Learning curves of the winner and the baseline."""
        return _figure(lambda: scores.learning(self._evidence), "cells kept no learning curves")

    def confusion(self) -> Figure:
        """Shares of each true class that are taken for each class."""
        evidence = self._evidence
        names = {
            evidence.plan.names.get(config) or "winner": counts
            for config, counts in evidence.confusions.items()
        }
        return _figure(
            lambda: confusion.draw(names, evidence.classes) if names else None,
            evidence.confusion_note or "there are no predictions",
        )


def _figure(draw: Callable[[], Picture | None], reason: str) -> Figure:
    with look():
        picture = draw()
    if picture is None or picture.figure is None:
        raise InputError(f"There is nothing to draw: {reason}.")
    png = picture.png
    # A notebook shows it without a backend of pyplot's.
    picture.figure._repr_png_ = lambda: png  # type: ignore[attr-defined]
    return picture.figure
