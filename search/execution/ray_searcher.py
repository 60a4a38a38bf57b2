"""Any Searcher of Ray Tune's as a source of configs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search.arrays import BoolArray
from search.errors import InputError
from search.strategies.own.optuna_sampler import Configs
from search.strategies.own.suggested import WAIT

_METRIC = "score"


class RaySearcher:
    """A Searcher that sees each config as a trial of one result.

    Args:
        searcher: The Searcher, without a space of its own.
        grid: The configs.
        axes: Values by axis.
        ordered: True for axes whose values have an order: these are sampled by position.
        mode: "max" where a high score is good, else "min".

    Raises:
        InputError: if it takes no space.
    """

    def __init__(
        self,
        searcher: Any,
        grid: Configs,
        axes: Mapping[str, tuple[Any, ...]],
        ordered: Mapping[str, bool],
        mode: str,
    ) -> None:
        from ray import tune

        self._searcher, self._grid = searcher, grid
        self._asked: dict[int, str] = {}
        self._number = 0
        # Positions first as whole numbers; some Searchers know floats alone.
        for whole in (True, False):
            space = {
                name: tune.choice(list(values))
                if not ordered[name]
                else tune.randint(0, len(values))
                if whole
                else tune.uniform(0.0, len(values) - 1.0)
                for name, values in axes.items()
            }
            try:
                taken = searcher.set_search_properties(_METRIC, mode, space)
            except (TypeError, ValueError, NotImplementedError) as error:
                fault: object = error
                continue
            if taken:
                return
            fault = "it has a space or a metric already: leave these out"
        raise InputError(f"{type(searcher).__name__} takes no space of the sweep: {fault}.")

    def suggest(self, free: BoolArray) -> int | None:
        """Config nearest to the Searcher's next point.

        A Searcher may say None to wait for results, as BayesOptSearch after its random points.
        """
        from ray.tune.search import Searcher

        self._number += 1
        trial = f"config-{self._number}"
        values = self._searcher.suggest(trial)
        if values is None and self._asked:
            return WAIT
        if values is None or values == Searcher.FINISHED:
            return None
        config = self._grid.nearest(values, free, places=True)
        self._asked[config] = trial
        return config

    def observe(self, config: int, score: float) -> None:
        """Tell the Searcher the mean score of a config it asked for."""
        trial = self._asked.pop(config, None)
        if trial is not None:
            result = {_METRIC: score, "training_iteration": 1}
            self._searcher.on_trial_complete(trial, result=result)
