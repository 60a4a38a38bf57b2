"""The plan of a sweep: its configs and cells before any training.

`prepare` finds bad input before the first second of training: the space is narrowed, every config
is bound to its trainable's Config, the data are read, split and audited, the weights are found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from search.formatting import unit
from search.planning.labels import Labels
from search.spec.sweep_spec import SweepSpec
from search.strategies.strategy import Problem
from spaces import Space
from trainables.engine.contract import Cell, Scalar, Task
from trainables.engine.keys import cell_keys, family_key

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Plan:
    """Configs and cells of a sweep, in the order its spec decides.

    Attributes:
        spec: The spec, local paths made absolute.
        space: The space, narrowed and fixed as the spec says.
        configs: Complete configs: every field of the trainable's Config.
        names: Names of the reference configs by index.
        baseline: Index of the config that gains are measured against; None without one.
        task: Trainable, data, model and split that all cells share.
        left_out: Names of reference configs that the narrowed axes exclude.
        official_share: Share of the rows in the data's official test part; None where it is not
            the protocol, or not known.
        off_grid: Values searched by name that the space has not itself, as text by parameter.
    """

    spec: SweepSpec
    space: Space
    configs: tuple[Mapping[str, Scalar], ...]
    names: Mapping[int, str]
    baseline: int | None
    task: Task
    left_out: tuple[str, ...] = ()
    official_share: float | None = None
    off_grid: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def blocks(self) -> tuple[tuple[int, int], ...]:
        """(seed, fold) pairs in the order that all configs share."""
        return tuple(self.spec.protocol.blocks())

    @property
    def declared_in(self) -> str:
        """The file that declares the space, for messages."""
        unregistered = f"the Space {self.space.name!r}"
        own = unregistered if self.registered is None else f"spaces/{self.registered}.py"
        return self.spec.plugin or own

    @property
    def registered(self) -> str | None:
        """Name of the space if foldrace declares it; None for a user's."""
        own = self.spec.plugin is None and self.spec.declared is None
        return self.spec.space if own else None

    @property
    def test_share(self) -> float:
        """Share of the rows that one block holds out.

        The rows that it trains on may be fewer than the others. It is the correlation of blocks
        that intervals reckon with, see search/stats/intervals.py.
        """
        if self.spec.folds is not None:
            return 1 / self.spec.folds
        if isinstance(self.spec.holdout, float):
            return self.spec.holdout
        # Sweeps of before shares were kept went by this.
        return 0.2 if self.official_share is None else self.official_share

    @cached_property
    def family(self) -> str:
        """The ledger's tag of all cells with this data, model and split."""
        return family_key(self.task)

    @cached_property
    def keys(self) -> dict[str, tuple[int, int]]:
        """Cell key -> (config, block), for every cell of the grid."""
        return {
            key: (index, block)
            for index, keys in enumerate(self._keys_of)
            for block, key in enumerate(keys)
        }

    @cached_property
    def _keys_of(self) -> tuple[list[str], ...]:
        """Keys of each config's cells."""
        space = self.space
        return tuple(
            cell_keys(self.task, self.family, space.keyed(space.active(config)), self.blocks)
            for config in self.configs
        )

    def cell(self, pair: tuple[int, int]) -> Cell:
        """The cell of a pair (config, block)."""
        seed, fold = self.blocks[pair[1]]
        return Cell(
            key=self._keys_of[pair[0]][pair[1]],
            config=dict(self.configs[pair[0]]),
            seed=seed,
            fold=fold,
        )

    def shape(self, pair: tuple[int, int]) -> object:
        """Equal for pairs whose cells can be one stack."""
        return self.space.shape_key(self.configs[pair[0]])

    def axes_of(self, config: int) -> dict[str, Scalar]:
        """The axes that have an effect in a config, with their values."""
        active = self.space.active(self.configs[config])
        names = {axis.name for axis in self.space.axes}
        return {name: value for name, value in active.items() if name in names}

    @cached_property
    def labels(self) -> Labels:
        """Short readable names of all configs, no two alike."""
        active = [self.space.active(config) for config in self.configs]
        return Labels(active, [axis.name for axis in self.space.axes], self.names)

    def label(self, config: int) -> str:
        """Short readable name of a config."""
        return self.labels[config]

    @cached_property
    def problem(self) -> Problem:
        """The plan in numbers, for the strategy."""
        axes = self.space.axes
        position = [{value: i for i, value in enumerate(axis.values)} for axis in axes]
        features = np.full((len(self.configs), len(axes)), np.nan)
        shapes: dict[object, int] = {}
        groups = np.empty(len(self.configs), np.int64)
        for row, config in enumerate(self.configs):
            active = self.axes_of(row)
            for column, axis in enumerate(axes):
                if axis.name in active:
                    features[row, column] = position[column].get(active[axis.name], np.nan)
            groups[row] = shapes.setdefault(self.space.shape_key(config), len(shapes))
        unordered = tuple(
            i
            for i, axis in enumerate(axes)
            if any(isinstance(value, str | bool) or value is None for value in axis.values)
        )
        return Problem(
            features=features,
            shapes=groups,
            blocks=len(self.blocks),
            floor=tuple(sorted(self.names)),
            mode=self.space.mode,
            unordered=unordered,
            unit=unit(self.space.objective),
            rounds=self._rounds,
        )

    @property
    def _rounds(self) -> tuple[int, ...]:
        """Number of each block's seed under folds; empty under a hold-out."""
        if self.spec.folds is None:
            return ()
        numbers: dict[int, int] = {}
        return tuple(numbers.setdefault(seed, len(numbers)) for seed, _ in self.blocks)
