"""Notices that cells fail alike, whatever their config.

A function with a slip in it fails in every cell of its grid, and one that cannot read a fold's rows
keeps every config from being complete: neither sweep is worth going on with.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from search.arrays import FloatArray
from trainables.engine.contract import Scalar

# Fewer may be the luck of their seeds.
_ENOUGH = 5
_LINE = re.compile(r"\(([^()]+, line \d+)")
_VALUE = re.compile(r"'[^']*'|\"[^\"]*\"|[-+]?\d+(?:[.,]\d+)*(?:e[-+]?\d+)?")


@dataclass
class FailureWatch:
    """Looks at cells that fail, in the whole sweep and by block.

    Attributes:
        configs: Complete configs of the sweep.
        blocks: Seed and fold of each block.
        scores: Scores as they come in, (configs, blocks): where one is, cells do not all fail.
        reason: Sentence on why the sweep should stop; None while it may go on.
    """

    configs: Sequence[Mapping[str, Scalar]]
    blocks: Sequence[tuple[int, int]]
    scores: FloatArray
    reason: str | None = None
    _alike: dict[tuple[int | None, str], list[tuple[int, int]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def see(self, pair: tuple[int, int], error: str) -> None:
        """Take a cell that failed, after its score was entered as missing.

        Args:
            pair: Config and block of the cell.
            error: Its message.
        """
        kind = kind_of(error)
        for block in (None, pair[1]):
            alike = self._alike[block, kind]
            alike.append(pair)
            scores = self.scores if block is None else self.scores[:, block]
            if len(alike) < _ENOUGH or self.reason is not None or np.isfinite(scores).any():
                continue
            if self._whatever_their_config({config for config, _ in alike}):
                self.reason = self._said(block, len(alike), error)

    def _said(self, block: int | None, many: int, error: str) -> str:
        if block is None:
            what = f"All {many} cells failed alike, whatever their config"
        else:
            seed, fold = self.blocks[block]
            what = (
                f"All {many} configs that were tried on fold {fold} of seed {seed} failed there "
                "alike, so that no config can have all its cells"
            )
        return f"{what}: the sweep was stopped. {error}"

    def _whatever_their_config(self, configs: Iterable[int]) -> bool:
        """Tell if configs share no value that could be to blame."""
        failed = [self.configs[config] for config in configs]
        return all(len({config.get(name) for config in failed}) > 1 for name in self._varying)

    @cached_property
    def _varying(self) -> tuple[str, ...]:
        values: dict[str, set[Scalar]] = defaultdict(set)
        for config in self.configs:
            for name, value in config.items():
                values[name].add(value)
        return tuple(name for name, seen in values.items() if len(seen) > 1)


def kind_of(error: str) -> str:
    """Kind of a failure, equal for failures of one cause.

    Args:
        error: Message of a cell.
    """
    name, line = error.partition(":")[0], _LINE.search(error)
    # Of one line of a file the values in a message differ from cell to cell.
    return f"{name} {line[1]}" if line else _VALUE.sub("#", error)
