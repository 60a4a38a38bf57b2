"""Any sampler of Optuna's as a source of configs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.trial import TrialState

from search.arrays import BoolArray


class Configs(Protocol):
    """Configs by their axes' values."""

    def positions(self, config: int) -> dict[str, int]:
        """Axes of a config with the positions of their values."""
        ...

    def values(self, config: int) -> dict[str, Any]:
        """Axes of a config with their values."""
        ...

    def nearest(self, values: Mapping[str, Any], free: BoolArray, *, places: bool) -> int:
        """Free config nearest to a point."""
        ...


class OptunaSampler:
    """A sampler that sees each config that is through as a trial.

    Args:
        sampler: The sampler.
        grid: The configs.
        axes: Values by axis.
        ordered: True for axes whose values have an order: these are sampled by position.
        mode: "max" where a high score is good, else "min".
    """

    def __init__(
        self,
        sampler: Any,
        grid: Configs,
        axes: Mapping[str, tuple[Any, ...]],
        ordered: Mapping[str, bool],
        mode: str,
    ) -> None:
        self._grid = grid
        self._ordered = ordered
        self._axes: dict[str, BaseDistribution] = {
            name: IntDistribution(0, len(values) - 1)
            if ordered[name]
            else CategoricalDistribution(values)
            for name, values in axes.items()
        }
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            self._study = optuna.create_study(
                direction="maximize" if mode == "max" else "minimize", sampler=sampler
            )
        finally:
            optuna.logging.set_verbosity(verbosity)

    def suggest(self, free: BoolArray) -> int | None:
        """Config nearest to the sampler's next point."""
        trial = self._study.ask(self._axes)
        # The config that is trained may be another point: it is told as a trial of its own.
        self._study.tell(trial, state=TrialState.FAIL)
        return self._grid.nearest(trial.params, free, places=True)

    def observe(self, config: int, score: float) -> None:
        """Add a config that is through as a complete trial."""
        places, values = self._grid.positions(config), self._grid.values(config)
        known = {
            name: places[name] if self._ordered[name] else values[name]
            for name in self._axes
            if name in places  # an inert axis teaches the sampler nothing
        }
        self._study.add_trial(
            optuna.trial.create_trial(
                params=known,
                distributions={name: self._axes[name] for name in known},
                value=score,
                state=TrialState.COMPLETE,
            )
        )
