"""Finds a hyper-parameter that does nothing, while a sweep runs.

Two configs that differ in one active hyper-parameter and give the same bytes on one cell (seed,
fold) mean that the parameter never reached the training, or has no effect there and should be
declared `Inert`. Equal accuracy proves nothing; equal probabilities of every held-out row do. A
device whose sums differ from run to run hides such a pair, and never makes one up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

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


@dataclass
class InertWatch:
    """Compares each cell with the cells of its block by digest.

    Attributes:
        active: The hyper-parameters that have an effect in a config, by its index.
    """

    active: Callable[[int], Mapping[str, Scalar]]
    _found: dict[str, Suspect] = field(default_factory=dict)
    # Of a million cells, few have a twin: the lists are for those alone.
    _first: dict[int, dict[str, int]] = field(default_factory=dict)  # block -> digest -> config
    _twins: dict[tuple[int, str], list[int]] = field(default_factory=dict)

    @property
    def suspects(self) -> list[Suspect]:
        """One suspect per parameter, by name, in whatever order cells came."""
        return [self._found[name] for name in sorted(self._found)]

    def see(self, pair: tuple[int, int], digest: str | None) -> list[Suspect]:
        """Take a cell's digest; return the parameters that it unmasks."""
        if digest is None:
            return []
        config, block = pair
        first = self._first.setdefault(block, {}).setdefault(digest, config)
        if first == config:
            return []
        twins = self._twins.setdefault((block, digest), [first])
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
        twins.append(config)
        return new

    def _compare(self, first: int, second: int, block: int) -> Suspect | None:
        values, other = self.active(first), self.active(second)
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
