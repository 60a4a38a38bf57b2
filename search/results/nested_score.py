"""The nested score as the ledger keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from search.ledger.ledger import Ledger
from trainables.engine.contract import Scalar

FILE = "nested.json"


@dataclass(frozen=True)
class OuterFold:
    """One outer fold.

    Attributes:
        fold: Its number.
        sweep: Name of the inner sweep.
        config: Config that the inner sweep picked: its active axes.
        score: The pick's cell on this fold; None if it failed.
        inner_mean: The pick's mean in the inner sweep, which flatters it.
        inner_cells: Cells with a score in the inner sweep.
    """

    fold: int
    sweep: str
    config: Mapping[str, Scalar]
    score: float | None
    inner_mean: float
    inner_cells: int


@dataclass(frozen=True)
class Nested:
    """The outcome of a nested cross-validation; scores are fractions.

    Attributes:
        seed: The protocol's first seed, whose folds are put away one after another.
        folds: One after another.
        mean: Over the outer folds; None while one of their cells has failed.
        std: Standard deviation over them.
        ci_low: Lower end of the corrected 95% interval of the mean.
        ci_high: Upper end.
        winner_mean: The sweep's own winner on the same cells, which it was picked on; None where it
            lacks one.
    """

    seed: int
    folds: tuple[OuterFold, ...]
    mean: float | None
    std: float | None
    ci_low: float | None
    ci_high: float | None
    winner_mean: float | None

    def to_json(self) -> dict[str, Any]:
        """The `nested` of the leaderboard document."""
        return {**asdict(self), "folds": [asdict(fold) for fold in self.folds]}


def read(ledger: Ledger, sweep_id: str) -> dict[str, Any] | None:
    """Nested score that a sweep keeps; None without one.

    It is as `Nested.to_json` gave it.

    Raises:
        LedgerError: if MLflow cannot be reached.
    """
    file = ledger.file(sweep_id, FILE)
    return None if file is None else dict(json.loads(file))
