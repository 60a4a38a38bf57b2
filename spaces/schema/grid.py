"""The grid of a space: its points by number.

No point is held in memory, and none is walked to.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from spaces.schema.axis import Axis
from spaces.schema.scalar import Scalar
from trainables.engine.errors import SpaceError


class _Digit(NamedTuple):
    """One axis as a digit of a point's number.

    The last axis is the lowest digit.
    """

    name: str
    values: tuple[Scalar, ...]
    positions: Mapping[Scalar, int]
    stride: int


@dataclass(frozen=True)
class Grid:
    """Every combination of the axes' values, in one order.

    Attributes:
        space: Name of the space, for messages.
        axes: Axes; the first one changes slowest.
    """

    space: str
    axes: tuple[Axis, ...]

    @cached_property
    def _digits(self) -> tuple[_Digit, ...]:
        digits: list[_Digit] = []
        stride = 1
        for axis in reversed(self.axes):
            digits.append(_Digit(axis.name, axis.values, axis.positions, stride))
            stride *= len(axis.values)
        return tuple(reversed(digits))

    @cached_property
    def size(self) -> int:
        """Number of points.

        Raises:
            SpaceError: if an axis is continuous.
        """
        return math.prod(len(digit.values) for digit in self._digits)

    def __iter__(self) -> Iterator[dict[str, Scalar]]:
        names = [digit.name for digit in self._digits]
        for values in itertools.product(*(digit.values for digit in self._digits)):
            yield dict(zip(names, values, strict=True))

    def point(self, index: int) -> dict[str, Scalar]:
        """Return the config at an index.

        Raises:
            SpaceError: if the index is not in [0, size).
        """
        if not 0 <= index < self.size:
            raise SpaceError(
                f"Space {self.space!r} has points 0 to {self.size - 1}, there is no {index}."
            )
        return {
            name: values[index // stride % len(values)] for name, values, _, stride in self._digits
        }

    def index(self, config: Mapping[str, Scalar]) -> int:
        """Return the index of a config.

        Names beside the axes are passed over.

        Raises:
            SpaceError: naming the axis that the config lacks, or whose value is off the grid.
        """
        try:
            return sum(
                positions[config[name]] * stride for name, _, positions, stride in self._digits
            )
        except KeyError:
            for axis in self.axes:
                if axis.name not in config:
                    raise SpaceError(
                        f"A config of space {self.space!r} lacks {axis.name!r}."
                    ) from None
                axis.check(config[axis.name])
            raise
