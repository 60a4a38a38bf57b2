"""Protocol: the seeds and folds that score a config."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

# Seeds of numpy and torch generators that every library accepts.
_SEEDS_BELOW = 2**32
_FIELDS = ("seeds", "folds", "holdout")


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """Seeds x folds, or seeds x one held-out part.

    The default is the protocol of the SoftTriple paper: 4 seeds x 5 folds.

    Attributes:
        seeds: Each fixes folds, init, order and dropout of its cells.
        folds: Parts of the cross-validation, at least 2; None when `holdout` is given.
        holdout: A share of the rows in (0, 1), or "official" for the data set's own test part.

    Raises:
        ValueError: naming the field, its value and what is allowed.
    """

    seeds: tuple[int, ...] = (2, 16, 128, 2048)
    folds: int | None = 5
    holdout: float | Literal["official"] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "seeds", tuple(self.seeds))
        if not self.seeds:
            raise ValueError("seeds must name at least one seed, got none.")
        for seed in self.seeds:
            if type(seed) is not int or not 0 <= seed < _SEEDS_BELOW:
                raise ValueError(
                    f"seeds must be whole numbers from 0 to {_SEEDS_BELOW - 1}, got {seed!r}."
                )
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds must be distinct, got {self.seeds}.")
        if (self.folds is None) == (self.holdout is None):
            raise ValueError(
                f"A protocol needs exactly one of folds and holdout, got folds={self.folds}, "
                f"holdout={self.holdout}."
            )
        if self.folds is not None and (type(self.folds) is not int or self.folds < 2):
            raise ValueError(f"folds must be a whole number of at least 2, got {self.folds!r}.")
        if self.holdout is not None and self.holdout != "official":
            share = self.holdout
            if type(share) is not float or not 0 < share < 1:
                raise ValueError(f"holdout must be a share in (0, 1) or 'official', got {share!r}.")

    def __len__(self) -> int:
        return len(self.seeds) * (self.folds or 1)

    def blocks(self) -> tuple[tuple[int, int], ...]:
        """Return all (seed, fold), in the order that every config meets.

        The order looks random and is fixed: the same in every process, on every machine, for any
        order of `seeds`. It is even: in every prefix, no seed has two blocks more than another, and
        no fold two more than another. The fold is 0 under a hold-out.
        """
        folds = sorted(range(self.folds or 1), key=lambda fold: _rank("fold", fold))
        seeds = sorted(self.seeds, key=lambda seed: _rank("seed", seed))
        # Stepping through both at once meets every pair within their least common multiple; where
        # they share a divisor, the folds are shifted by one each time that comes round.
        period = math.lcm(len(seeds), len(folds))
        return tuple(
            (seeds[step % len(seeds)], folds[(step + step // period) % len(folds)])
            for step in range(len(self))
        )

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value from which `from_json` makes an equal protocol."""
        return {"seeds": list(self.seeds), "folds": self.folds, "holdout": self.holdout}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Protocol:
        """Return the protocol that `to_json` wrote.

        Raises:
            ValueError: if a field is missing or unknown, or a value is not allowed.
        """
        if set(value) != set(_FIELDS):
            raise ValueError(
                f"A protocol has the fields {', '.join(_FIELDS)}, got {', '.join(sorted(value))}."
            )
        return cls(seeds=tuple(value["seeds"]), folds=value["folds"], holdout=value["holdout"])


def _rank(kind: str, number: int) -> bytes:
    """Return a sort key that no library's random generator can change."""
    return hashlib.sha256(f"foldrace blocks {kind} {number}".encode()).digest()
