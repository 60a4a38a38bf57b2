"""Space: what a sweep tries. Axes, fixed values, inert rules and reference configs, as one value.

A config is a plain dict from name to scalar. `grid` and `point` give configs over the axes alone;
`complete` adds the fixed values; `active` keeps what has an effect: that goes into a cell's key.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np

from spaces.schema import faults, naming
from spaces.schema.axis import Axis
from spaces.schema.inert import Inert
from spaces.schema.scalar import FrozenMapping, Scalar, kinds_like
from trainables.engine.errors import SpaceError

__all__ = ["Axis", "Inert", "Scalar", "Space", "SpaceError"]


class _Digit(NamedTuple):
    """One axis as a digit of a point's number; the last axis is the lowest digit."""

    name: str
    values: tuple[Scalar, ...]
    positions: Mapping[Scalar, int]
    stride: int


@dataclass(frozen=True, kw_only=True)
class Space:
    """The axes that are searched and the values that stay fixed: frozen, hashable, JSON both ways.

    Attributes:
        name: Name of the space.
        trainable: Name of the trainable whose Config the names are of.
        axes: What is searched; the first axis changes slowest in the grid.
        fixed: Every other field of the Config.
        source: Paper, section and table that the grid is from.
        objective: Metric that ranks configs, best when "max" or "min", as `mode` says.
        inert: Rules for what has no effect where. A rule counts only while the parameters in its
            `when` have an effect themselves, and stands after the rules that decide that.
        references: Named configs, in order; each names the axes that have an effect in it. They may
            leave the grid, as the cross-entropy baseline beta = 1 does.
        baseline: The reference that gains are measured against.
        ablation: References that are the rows of the paper's ablation, in its order.
        shape: Parameters that decide the shapes of tensors and the number of steps.
        yielding: Axes whose value in a reference is a starting value: `fix` takes its place, unless
            it is one that switches others off.
        cleaning: Cleaning steps of the texts, in order, where a sweep names none of its own.

    Raises:
        SpaceError: with all faults of the declaration in one message.
    """

    name: str
    trainable: str
    axes: tuple[Axis, ...]
    fixed: Mapping[str, Scalar]
    source: str
    objective: str = "accuracy"
    mode: Literal["max", "min"] = "max"
    inert: tuple[Inert, ...] = ()
    references: Mapping[str, Mapping[str, Scalar]] = field(default_factory=dict)
    baseline: str | None = None
    ablation: tuple[str, ...] = ()
    shape: tuple[str, ...] = ()
    yielding: tuple[str, ...] = ()
    cleaning: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        references = {name: FrozenMapping(config) for name, config in self.references.items()}
        for name, value in (
            ("axes", tuple(self.axes)),
            ("fixed", FrozenMapping(self.fixed)),
            ("inert", tuple(self.inert)),
            ("references", FrozenMapping(references)),
            ("ablation", tuple(self.ablation)),
            ("shape", tuple(self.shape)),
            ("yielding", tuple(self.yielding)),
            ("cleaning", tuple(self.cleaning)),
        ):
            object.__setattr__(self, name, value)
        found = faults.find(self)
        if found:
            raise SpaceError(f"Space {self.name!r} is not well formed.\n" + "\n".join(found))

    @cached_property
    def _digits(self) -> tuple[_Digit, ...]:
        digits: list[_Digit] = []
        stride = 1
        for axis in reversed(self.axes):
            digits.append(_Digit(axis.name, axis.values, axis.positions, stride))
            stride *= len(axis.values)
        return tuple(reversed(digits))

    @cached_property
    def _axes(self) -> dict[str, Axis]:
        return {axis.name: axis for axis in self.axes}

    @cached_property
    def _size(self) -> int:
        return math.prod(len(digit.values) for digit in self._digits)

    def __len__(self) -> int:
        """Number of points of the grid; SpaceError if an axis is continuous."""
        return self._size

    def grid(self) -> Iterator[dict[str, Scalar]]:
        """Every point, lazily, in the order of `point`."""
        names = [digit.name for digit in self._digits]
        for values in itertools.product(*(digit.values for digit in self._digits)):
            yield dict(zip(names, values, strict=True))

    def point(self, index: int) -> dict[str, Scalar]:
        """The config at an index of the grid, without walking there.

        Raises:
            SpaceError: if the index is not in [0, len(space)).
        """
        if not 0 <= index < self._size:
            raise SpaceError(
                f"Space {self.name!r} has points 0 to {self._size - 1}, there is no {index}."
            )
        return {
            name: values[index // stride % len(values)] for name, values, _, stride in self._digits
        }

    def index(self, config: Mapping[str, Scalar]) -> int:
        """The inverse of `point`; names beside the axes are passed over.

        Raises:
            SpaceError: naming the axis that the config lacks, or whose value is off the grid.
        """
        try:
            return sum(
                positions[config[name]] * stride for name, _, positions, stride in self._digits
            )
        except KeyError:
            for name, axis in self._axes.items():
                if name not in config:
                    raise SpaceError(f"A config of space {self.name!r} lacks {name!r}.") from None
                axis.check(config[name])
            raise

    def sample(self, n: int, rng: np.random.Generator) -> list[dict[str, Scalar]]:
        """`n` different points, each set of points as likely as any other.

        Raises:
            SpaceError: if the grid has fewer points than `n`.
        """
        if not 0 <= n <= self._size:
            raise SpaceError(f"Space {self.name!r} has {self._size} points, cannot draw {n}.")
        return [self.point(int(i)) for i in rng.choice(self._size, size=n, replace=False)]

    def neighbours(self, config: Mapping[str, Scalar]) -> list[dict[str, Scalar]]:
        """The points one step away along one axis that has an effect in the config.

        A step on an axis of numbers is to the next value; on one of names, to any other.

        Raises:
            SpaceError: if the config is not on the grid.
        """
        here = self.point(self.index(config))
        _, idle = self._resolve(config)
        found = []
        for axis in self.axes:
            if axis.name in idle:
                continue
            at = axis.positions[here[axis.name]]
            reach = (at - 1, at + 1) if axis.ordered else range(len(axis.values))
            found += [
                {**here, axis.name: axis.values[position]}
                for position in reach
                if position != at and 0 <= position < len(axis.values)
            ]
        return found

    @cached_property
    def kinds(self) -> dict[str, frozenset[type]]:
        """Types that the values of each axis and fixed name may have."""
        fixed = {name: kinds_like(value) for name, value in self.fixed.items()}
        return {axis.name: axis.kinds for axis in self.axes} | fixed

    @cached_property
    def _defaults(self) -> dict[str, Scalar]:
        """What stands for a parameter without effect: an axis's first value, or the fixed one."""
        return {axis.name: axis.first for axis in self.axes} | dict(self.fixed)

    @cached_property
    def _rules(self) -> list[tuple[list[tuple[str, tuple[Scalar, ...]]], tuple[str, ...]]]:
        return [(list(rule.when.items()), rule.axes) for rule in self.inert]

    def _resolve(self, config: Mapping[str, Scalar]) -> tuple[dict[str, Scalar], set[str]]:
        """The complete config, and the names without effect in it; called for every cell."""
        values, missing, kinds = self._defaults.copy(), set(self._axes), self.kinds
        for name, value in config.items():
            if name not in kinds:
                raise SpaceError(naming.unknown(self, name, "parameter", tuple(kinds)))
            values[name] = value if type(value) in kinds[name] else naming.read(self, name, value)
            missing.discard(name)
        idle: set[str] = set()
        for when, without in self._rules:
            for name, triggers in when:
                if name in idle or name in missing or values[name] not in triggers:
                    break
            else:
                idle.update(without)
        for name in idle:
            values[name] = self._defaults[name]
        if not missing <= idle:
            lacking = ", ".join(repr(n) for n in self._axes if n in missing - idle)
            raise SpaceError(f"A config of space {self.name!r} lacks {lacking}.")
        return values, idle

    def complete(self, config: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """All axes and fixed values of a config, as the trainable's Config wants them.

        What the config gives goes before what is fixed. Parameters without effect in it take their
        first or fixed value, so that configs that mean the same become equal.

        Raises:
            SpaceError: if a name is not of the space, a value is of another type than its axis, or
                an axis that has an effect is not given.
        """
        return self._resolve(config)[0]

    def active(self, config: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """The complete config without what has no effect in it: equal for equal trainings."""
        values, idle = self._resolve(config)
        for name in idle:
            del values[name]
        return values

    def shape_key(self, config: Mapping[str, Scalar]) -> tuple[Scalar, ...]:
        """Equal for configs whose cells can be one stack; None for a name without effect."""
        values, idle = self._resolve(config)
        return tuple(None if name in idle else values[name] for name in self.shape)

    def admits(self, config: Mapping[str, Scalar]) -> bool:
        """Whether all that has an effect in the config is of the axes and of the fixed values."""
        values, idle = self._resolve(config)
        on_grid = all(axis.name in idle or axis.has(values[axis.name]) for axis in self.axes)
        return on_grid and all(values[name] == value for name, value in self.fixed.items())

    def narrow(self, axes: Mapping[str, Iterable[Scalar]]) -> Space:
        """The space with only some values of some axes; axes keep the order of their values.

        Args:
            axes: Name or paper's symbol of an axis -> values, or their words, or "10,100".

        Raises:
            SpaceError: naming each unknown axis and each value that is not of its axis.
        """
        chosen = naming.narrowed(self, axes)
        return replace(self, axes=tuple(chosen[axis.name] for axis in self.axes))

    def fix(self, values: Mapping[str, Scalar]) -> Space:
        """The space with other fixed values; an axis that is given one is no longer searched.

        Args:
            values: Name of a fixed value, or name or symbol of an axis -> value, or its word. The
                value must be of the right type; it need not be one of the axis's own.

        Raises:
            SpaceError: naming each unknown name and each value of a wrong type.
        """
        chosen = naming.fixed(self, values)
        axes = tuple(axis for axis in self.axes if axis.name not in chosen)
        references = {
            reference: {
                name: value
                for name, value in config.items()
                if name not in chosen or not self._yields(name, value)
            }
            for reference, config in self.references.items()
        }
        fixed = {**self.fixed, **chosen}
        return replace(self, axes=axes, fixed=fixed, references=references)

    def _yields(self, name: str, value: Scalar) -> bool:
        """Whether a reference's value gives way to one that is fixed."""
        switches = any(name in rule.when and value in rule.when[name] for rule in self.inert)
        return name in self.yielding and not switches

    def to_json(self) -> dict[str, Any]:
        """A JSON value from which `from_json` makes an equal space."""
        value = {item.name: getattr(self, item.name) for item in fields(self)}
        return value | {
            "axes": [axis.to_json() for axis in self.axes],
            "fixed": dict(self.fixed),
            "inert": [rule.to_json() for rule in self.inert],
            "references": {name: dict(config) for name, config in self.references.items()},
            "ablation": list(self.ablation),
            "shape": list(self.shape),
            "yielding": list(self.yielding),
            "cleaning": list(self.cleaning),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Space:
        """The inverse of `to_json`.

        Raises:
            SpaceError: if a field is missing or unknown, or the space is not well formed.
        """
        names = {item.name for item in fields(cls)}
        if set(value) != names:
            raise SpaceError(
                f"A space in JSON has the fields {', '.join(sorted(names))}; missing: "
                f"{sorted(names - set(value))}, unknown: {sorted(set(value) - names)}."
            )
        parts = {
            "axes": tuple(Axis.from_json(axis) for axis in value["axes"]),
            "inert": tuple(Inert.from_json(rule) for rule in value["inert"]),
        }
        return cls(**{**value, **parts})
