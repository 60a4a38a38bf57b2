"""Earlier sweeps behind a race: their scores, and their weight.

They say which cells a race trains first. Its winner and all its statistics come from its own
cells. The scores are kept with the sweep, so that going on with it does not depend on sweeps that
may have grown, or be gone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from search.strategies.board import Board, Problem
from search.strategies.model.features import build_features
from search.strategies.model.surrogate import believe

if TYPE_CHECKING:
    from search.arrays import FloatArray

FILE = "earlier.json"
_FEWEST_TO_AGREE = 3


@dataclass(frozen=True)
class Earlier:
    """An earlier sweep, as a race knows it.

    Attributes:
        sweep: Name of the sweep.
        run_id: Its MLflow run id.
        data: Name of its data.
        model: Its model.
        cells: Number of its cells with a score.
        axes: Names of the axes that both sweeps search.
        scores: Its model's mean of each config of the race, None for one that it has not.
    """

    sweep: str
    run_id: str
    data: str
    model: str
    cells: int
    axes: tuple[str, ...]
    scores: tuple[float | None, ...]

    @property
    def known(self) -> int:
        """Number of the race's configs that it has."""
        return sum(score is not None for score in self.scores)

    def to_json(self) -> dict[str, Any]:
        """Entry of a document."""
        about = asdict(self)
        del about["scores"]
        return {**about, "axes": list(self.axes), "configs": self.known}


@dataclass(frozen=True)
class Weighed:
    """Weight of an earlier sweep in the race's model.

    Attributes:
        earlier: The sweep.
        weight: What a config that is better there by the spread of its configs is better here,
            by the race's model, in the score's own units; it shrinks to 0 where the race's cells
            say otherwise. None before there is a cell.
        agreement: Rank correlation of the two sweeps over the configs that have a cell here, by
            the race's own cells; None of fewer than three.
    """

    earlier: Earlier
    weight: float | None
    agreement: float | None

    def to_json(self) -> dict[str, Any]:
        """The document's entry."""
        weighed = {"weight": self.weight, "agreement": self.agreement}
        return {**self.earlier.to_json(), **weighed}


def to_text(earlier: Sequence[Earlier]) -> str:
    """File that a sweep keeps."""
    return json.dumps([asdict(one) for one in earlier])


def of_text(text: str | bytes, configs: int) -> list[Earlier] | None:
    """Read `to_text`; None where it is not of so many configs."""
    try:
        found = [
            Earlier(**{**one, "axes": tuple(one["axes"]), "scores": tuple(one["scores"])})
            for one in json.loads(text)
        ]
    except (ValueError, TypeError, KeyError):
        return None
    return found if all(len(one.scores) == configs for one in found) else None


def with_earlier(problem: Problem, earlier: Sequence[Earlier]) -> Problem:
    """The problem, guided by earlier sweeps."""
    if not earlier:
        return problem
    return replace(problem, earlier=np.stack([_scores(one) for one in earlier]))


def _scores(one: Earlier) -> FloatArray:
    """Scores by config, nan where there is none, (configs,)."""
    return np.array([np.nan if score is None else score for score in one.scores], float)


def guidance(earlier: Sequence[Earlier], configs: int, *, named: bool) -> list[str]:
    """Lines on earlier sweeps, for a race that begins.

    Args:
        earlier: The sweeps.
        configs: Number of configs that race.
        named: True where they were asked for by their names.
    """
    lines = [
        f"Prior: sweep {one.sweep} ({one.data}, {one.model}; {one.cells:,} cells) has "
        f"{one.known:,} of these {configs:,} configs by {', '.join(one.axes)}."
        for one in earlier
    ]
    if lines:
        without = "" if named else " `--prior none` leaves them out."
        lines.append(f"Priors guide which cells are trained, and no figure of the result.{without}")
    return lines


def weigh(problem: Problem, scores: FloatArray, earlier: Sequence[Earlier]) -> list[Weighed]:
    """Weight of each earlier sweep, by the cells that are there.

    Args:
        problem: The race's problem, without them.
        scores: Its scores by config and block, nan where missing, (configs, blocks).
        earlier: The sweeps.
    """
    if not earlier or not np.isfinite(scores).any():
        return [Weighed(one, None, None) for one in earlier]
    guided = with_earlier(problem, earlier)
    features = build_features(guided)
    weights = believe(features, Board.of(guided, scores)).weights
    alone = believe(build_features(problem), Board.of(problem, scores)).mean
    tried = np.isfinite(scores).any(axis=1)
    found = []
    for column, one in zip(features.earlier, earlier, strict=True):
        own = _scores(one)
        both = tried & np.isfinite(own)
        agreement = None
        if both.sum() >= _FEWEST_TO_AGREE:
            rank = float(stats.spearmanr(own[both], alone[both]).statistic)
            agreement = rank if np.isfinite(rank) else None
        weight = 0.0 if column is None else problem.sign * float(weights[column])
        found.append(Weighed(one, weight, agreement))
    return found
