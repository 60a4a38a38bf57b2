"""Finds a hyper-parameter that does nothing, while a sweep runs.

Two configs that differ in one active hyper-parameter and give the same bytes on one cell (seed,
fold) mean that the parameter never reached the training, or has no effect there and should be
declared `Inert`. Equal accuracy proves nothing; equal probabilities of every held-out row do. A
device whose sums differ from run to run hides such a pair, and never makes one up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainables.engine.contract import Scalar

# Data on which parameters of any training make no difference.
_ALIKE = {
    "max_length": "no text is longer than the smaller of them",
    "batch_size": "a cell has no more rows than the smaller of them",
    "clip_norm": "no gradient is longer than they are",
    "weight_decay": "a step shrinks a weight by less than its last digit",
}


@dataclass(frozen=True)
class Suspect:
    """A parameter that made no difference.

    Attributes:
        parameter: Its name.
        values: The two values that gave the same bytes.
        configs: Indices of the two configs.
        block: Index of the (seed, fold).
    """

    parameter: str
    values: tuple[Scalar, Scalar]
    configs: tuple[int, int]
    block: int

    def to_json(
        self,
        blocks: tuple[tuple[int, int], ...],
        declared_in: str,
        alike: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """An entry of `inert_suspects`.

        Args:
            blocks: The protocol's (seed, fold) pairs.
            declared_in: The file that declares the space.
            alike: Data on which parameters of the space make no difference, by name.
        """
        seed, fold = blocks[self.block]
        return {
            "parameter": self.parameter,
            "values": list(self.values),
            "seed": seed,
            "fold": fold,
            "meaning": self._meaning(seed, fold, declared_in, alike or {}),
        }

    def _meaning(self, seed: int, fold: int, declared_in: str, alike: Mapping[str, str]) -> str:
        name, (first, second) = self.parameter, self.values
        seen = (
            f"{name}={first} and {name}={second}, all else equal, gave byte-identical metrics and "
            f"out-of-fold probabilities on cell (seed {seed}, fold {fold})"
        )
        where = {**_ALIKE, **alike}.get(name)
        if where is not None:
            return f"{seen}, as they do where {where}. Elsewhere {name} never reached the training."
        return (
            f"{seen}: {name} never reached the training, or is inert there. Look where the "
            "trainable reads it; if it is meant to have no effect there, declare it as Inert in "
            f"{declared_in}."
        )


class InertWatch:
    """Compares each cell with the cells of its block by digest.

    It takes eight bytes a cell: of a million cells, few have a twin.

    Args:
        active: The hyper-parameters that have an effect in a config, by its index.
        shape: Numbers of configs and blocks.
    """

    def __init__(
        self, active: Callable[[int], Mapping[str, Scalar]], shape: tuple[int, int]
    ) -> None:
        self._active = active
        self._found: dict[str, Suspect] = {}
        # 64 bits of each cell's digest; 0 where there is none.
        self._codes = np.zeros(shape[::-1], np.int64)

    @property
    def suspects(self) -> list[Suspect]:
        """One suspect per parameter, by name, in whatever order cells came."""
        return [self._found[name] for name in sorted(self._found)]

    def note(self, pair: tuple[int, int], digest: str | None) -> None:
        """Take a cell's digest, to be compared by `look`."""
        if digest is not None:
            self._codes[pair[1], pair[0]] = _code(digest)

    def look(self) -> None:
        """Compare all cells that were noted."""
        for block, codes in enumerate(self._codes):
            several, counts = np.unique(codes[codes != 0], return_counts=True)
            for code in several[counts > 1]:
                twins = np.flatnonzero(codes == code).tolist()
                for config in twins:
                    self._meet(config, [twin for twin in twins if twin < config], block)

    def see(self, pair: tuple[int, int], digest: str | None) -> list[Suspect]:
        """Take a cell's digest; return the parameters that it unmasks."""
        if digest is None:
            return []
        config, block = pair
        twins = np.flatnonzero(self._codes[block] == _code(digest)).tolist()
        self.note(pair, digest)
        return self._meet(config, [twin for twin in twins if twin != config], block)

    def _meet(self, config: int, twins: Sequence[int], block: int) -> list[Suspect]:
        """Compare a config with those that gave the same bytes; new suspects."""
        new = []
        for twin in twins:
            suspect = self._compare(min(twin, config), max(twin, config), block)
            if suspect is None:
                continue
            known = self._found.get(suspect.parameter)
            if known is None:
                new.append(suspect)
            if known is None or (block, suspect.configs) < (known.block, known.configs):
                self._found[suspect.parameter] = suspect
        return new

    def _compare(self, first: int, second: int, block: int) -> Suspect | None:
        values, other = self._active(first), self._active(second)
        differing = [
            name
            for name in {**values, **other}
            if name not in values or name not in other or values[name] != other[name]
        ]
        # Several that differ may be each other's doing; only one alone can be named.
        if len(differing) != 1:
            return None
        name = differing[0]
        return Suspect(name, (values.get(name), other.get(name)), (first, second), block)


def _code(digest: str) -> int:
    """64 bits of a digest, never 0, alike within this process."""
    return hash(digest) or 1
