"""A strategy of the user's own: sampler, searcher, or ask and tell."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np

from search.arrays import BoolArray
from search.errors import InputError
from search.execution.ray_searcher import RaySearcher
from search.planning.plan import Plan
from search.spec.sweep_spec import OWN, SweepSpec
from search.strategies.own.optuna_sampler import OptunaSampler
from search.strategies.own.suggested import Nothing, Source, Suggested
from spaces.schema.axis import Axis
from trainables.engine import registry
from trainables.engine.contract import Scalar


def policy_of(plan: Plan) -> Suggested:
    """Policy of a sweep whose strategy is the user's.

    Without the user's object, as when a leaderboard is read, it suggests nothing.
    """
    chooser = chooser_of(plan.spec)
    source: Source = Nothing() if chooser is None else _source(plan, chooser)
    return Suggested(plan.problem, source)


def check(spec: SweepSpec) -> None:
    """Refuse to train a sweep whose own strategy is not here.

    Raises:
        InputError: saying where it is looked for.
    """
    if spec.strategy == OWN and chooser_of(spec) is None:
        raise InputError(
            "strategy own is an object of yours: in Python give it, as run(..., "
            "strategy=optuna.samplers.GPSampler()) or resume(..., strategy=...); for the command "
            "line write STRATEGY = ... into the file of your space or --plugin."
        )


def chooser_of(spec: SweepSpec) -> Any:
    """The user's object; None where there is none here."""
    if spec.strategy != OWN:
        return None
    if spec.chooser is not None:
        return spec.chooser
    if spec.plugin is None:
        return None
    for package in ("trainables", "spaces"):
        module = registry.plugged(package, spec.space)
        if module is not None and hasattr(module, "STRATEGY"):
            return module.STRATEGY
    return None


def _source(plan: Plan, chooser: Any) -> Source:
    """Adapter of the object's kind, around a copy of it."""
    try:
        own = chooser if isinstance(chooser, type) else copy.deepcopy(chooser)
    except Exception:  # whatever an object of the user's refuses
        own = chooser
    grid = Grid(plan)
    axes = {axis.name: tuple(axis.values) for axis in plan.space.axes}
    ordered = {axis.name: axis.ordered for axis in plan.space.axes}
    if hasattr(own, "sample_relative"):
        return OptunaSampler(own, grid, axes, ordered, plan.space.mode)
    if hasattr(own, "suggest") and hasattr(own, "on_trial_complete"):
        return RaySearcher(own, grid, axes, ordered, plan.space.mode)
    if isinstance(own, type):
        own = own({name: list(values) for name, values in axes.items()})
    return AskTell(own, grid)


class Grid:
    """Configs of a plan by their axes' values.

    Args:
        plan: The plan.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._features = plan.problem.features
        known = np.isfinite(self._features)
        self._known = known
        self._scale = 1.0 / np.maximum(np.where(known, self._features, 1.0).max(axis=0), 1.0)

    def values(self, config: int) -> dict[str, Scalar]:
        """Axes that have an effect in a config, with their values."""
        return self._plan.axes_of(config)

    def positions(self, config: int) -> dict[str, int]:
        """Axes that have an effect in a config, with the values' positions."""
        axes, row = self._plan.space.axes, self._features[config]
        return {
            axis.name: int(place)
            for axis, place, there in zip(axes, row, self._known[config], strict=True)
            if there
        }

    def nearest(self, values: Mapping[str, Any], free: BoolArray, *, places: bool) -> int:
        """Free config nearest to a point.

        Args:
            values: Value of each axis, or its position; axes that are missing do not count.
            free: Configs to choose from, at least one, (configs,).
            places: True where numbers of ordered axes are positions.

        Raises:
            InputError: for an axis that the space has not, or a value that no axis can have.
        """
        axes = {axis.name: axis for axis in self._plan.space.axes}
        unknown = next((name for name in values if name not in axes), None)
        if unknown is not None:
            raise InputError(
                f"The strategy suggests {unknown!r}.{registry.hint(str(unknown), axes)} The axes "
                f"are {', '.join(axes)}."
            )
        point = np.array(
            [
                np.nan if name not in values else _place(axis, values[name], places)
                for name, axis in axes.items()
            ]
        )
        candidates = np.flatnonzero(free)
        gaps = np.abs(self._features[candidates] - point) * self._scale
        return int(candidates[np.argmin(np.nansum(gaps, axis=1))])


def _place(axis: Axis, value: Any, places: bool) -> float:
    if places and axis.ordered:
        return float(value)
    plain = value.item() if hasattr(value, "item") else value
    if plain in axis.positions:
        return float(axis.positions[plain])
    if axis.ordered and isinstance(plain, int | float):
        numbers = np.array([float(v) for v in axis.values if isinstance(v, int | float)])
        return float(np.argmin(np.abs(numbers - plain)))
    raise InputError(f"The strategy suggests {axis.name}={plain!r}; its values are {axis.domain}.")


class AskTell:
    """An object with ask() and tell(config, score), as a source of configs.

    Args:
        own: The user's object: `ask` returns values by axis, or None for nothing more.
        grid: The configs.
    """

    def __init__(self, own: Any, grid: Grid) -> None:
        self._own, self._grid = own, grid

    def suggest(self, free: BoolArray) -> int | None:
        """Config nearest to what the object asks for."""
        values = self._own.ask()
        if values is None:
            return None
        if not isinstance(values, Mapping):
            raise InputError(
                f"ask of {type(self._own).__name__} must return a dict of axes and values, or "
                f"None; got {values!r}."
            )
        return self._grid.nearest(values, free, places=False)

    def observe(self, config: int, score: float) -> None:
        """Tell the object a config's mean score."""
        self._own.tell(self._grid.values(config), score)
