"""One axis of a space: its name and its values."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
    json_to_distribution,
)

from spaces.schema.scalar import Scalar, is_scalar, listing, read_scalar
from trainables.engine.errors import SpaceError

# All values are held in memory; nobody means more.
_MOST_VALUES = 100_000


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One hyper-parameter that is searched.

    The values of a grid stand in a CategoricalDistribution; numbers among them are ordered, and
    should be listed in rising order. Whole numbers among floats become floats.

    Attributes:
        name: Field of the trainable's Config.
        distribution: Its values.
        symbol: The paper's symbol where it differs from the name, accepted on input.

    Raises:
        SpaceError: on a name that is no identifier, or values that are not distinct finite scalars.
    """

    name: str
    distribution: BaseDistribution
    symbol: str | None = None

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise SpaceError(f"An axis name must be an identifier, got {self.name!r}.")
        if not isinstance(
            self.distribution, CategoricalDistribution | IntDistribution | FloatDistribution
        ):
            raise SpaceError(
                f"Axis {self.name!r} must have a Categorical-, Int- or FloatDistribution, got "
                f"{type(self.distribution).__name__}."
            )
        if not isinstance(self.distribution, CategoricalDistribution):
            self._check_length(self.distribution)
            return
        choices = self.distribution.choices
        for choice in choices:
            if not is_scalar(choice):
                raise SpaceError(
                    f"Axis {self.name!r} must have finite JSON scalars as values, got {choice!r}."
                )
        if len(set(choices)) != len(choices):
            raise SpaceError(f"Axis {self.name!r} must have distinct values, got {choices!r}.")
        if {type(choice) for choice in choices} == {int, float}:
            floats = [float(choice) for choice in choices if isinstance(choice, int | float)]
            object.__setattr__(self, "distribution", CategoricalDistribution(floats))

    def _check_length(self, domain: IntDistribution | FloatDistribution) -> None:
        count = 1 if domain.step is None else (domain.high - domain.low) / domain.step + 1
        if count > _MOST_VALUES:
            raise SpaceError(
                f"Axis {self.name!r} must have at most {_MOST_VALUES:,} values, got {count:,.0f}: "
                "give it a larger step."
            )

    @cached_property
    def values(self) -> tuple[Scalar, ...]:
        """All values, in their order.

        Raises:
            SpaceError: for a continuous axis, which has no list of values.
        """
        domain = self.distribution
        if isinstance(domain, CategoricalDistribution):
            return domain.choices
        if isinstance(domain, IntDistribution):
            return tuple(range(domain.low, domain.high + 1, domain.step))
        if self.interval is not None:
            raise SpaceError(
                f"Axis {self.name!r} is continuous, {self.domain}, and has no grid: name the "
                f"values to try, --set {self.name}=V,V."
            )
        if not isinstance(domain, FloatDistribution):
            raise SpaceError(f"Axis {self.name!r} has no list of values: {domain!r}.")
        ends = (domain.low, domain.high, domain.step or 1.0)
        low, high, step = (Decimal(str(number)) for number in ends)
        # In decimals: 0.1 + 2 * 0.1 must be the 0.3 that a user types.
        return tuple(float(low + i * step) for i in range(int((high - low) / step) + 1))

    @cached_property
    def interval(self) -> tuple[float, float] | None:
        """Both ends of a continuous axis; None for a listed one."""
        domain = self.distribution
        if isinstance(domain, FloatDistribution) and domain.step is None and not domain.single():
            return domain.low, domain.high
        return None

    @property
    def ordered(self) -> bool:
        """True for values that have an order, as numbers have."""
        return not self.kinds & {str, bool, type(None)}

    @cached_property
    def kinds(self) -> frozenset[type]:
        """Types of the values."""
        if isinstance(self.distribution, CategoricalDistribution):
            return frozenset(type(choice) for choice in self.distribution.choices)
        return frozenset({int if isinstance(self.distribution, IntDistribution) else float})

    @cached_property
    def first(self) -> Scalar:
        """Value that stands in a config where the axis has no effect."""
        return self.values[0] if self.interval is None else self.interval[0]

    @cached_property
    def positions(self) -> dict[Scalar, int]:
        """Position of each value on the axis."""
        return {value: position for position, value in enumerate(self.values)}

    def has(self, value: Scalar) -> bool:
        """Return True for a value of the axis."""
        if self.interval is None:
            return value in self.positions
        low, high = self.interval
        return isinstance(value, int | float) and low <= value <= high

    @cached_property
    def aliases(self) -> tuple[str, ...]:
        """Other words for the axis: its symbol, and Greek letters."""
        words = [self.name] if self.symbol is None else [self.symbol, self.name]
        letters = [letter for word in words if (letter := _greek(word)) is not None]
        return tuple(word for word in dict.fromkeys(words + letters) if word != self.name)

    @property
    def domain(self) -> str:
        """Values for a message."""
        if self.interval is None:
            return listing(self.values)
        return f"from {self.interval[0]:g} to {self.interval[1]:g}"

    def check(self, value: Scalar) -> None:
        """Refuse a value that is not one of the axis's.

        Raises:
            SpaceError: naming the axis and its values.
        """
        if not self.has(value):
            shown = listing([value])
            raise SpaceError(
                f"Axis {self.name!r} has no value {shown}, only {self.domain}. Use one of them, "
                f"or name it with --set {self.name}={shown}, beside others to try."
            )

    def narrow(self, values: Iterable[Scalar]) -> Axis:
        """Return the axis with only some of its values, in order.

        Raises:
            SpaceError: naming the axis, the value that it has not, and those that it has.
        """
        chosen = []
        for value in values:
            try:
                scalar = read_scalar(value, self.kinds)
            except ValueError as error:
                raise SpaceError(
                    f"A value of axis {self.name!r} {error}; allowed: {self.domain}."
                ) from None
            self.check(scalar)
            chosen.append(scalar)
        if not chosen:
            raise SpaceError(f"Axis {self.name!r} needs at least one value: {self.domain}.")
        # Equal spaces whatever the order in which the values were typed: a grid keeps its own.
        order = (
            [value for value in self.values if value in set(chosen)]
            if self.interval is None
            else sorted(value for value in set(chosen) if isinstance(value, float))
        )
        if self.interval is None and len(order) == len(self.values):
            return self
        return replace(self, distribution=CategoricalDistribution(order))

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value from which `from_json` makes an equal axis."""
        domain = json.loads(distribution_to_json(self.distribution))
        return {"name": self.name, "distribution": domain, "symbol": self.symbol}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Axis:
        """Return the axis that `to_json` wrote."""
        domain = json_to_distribution(json.dumps(value["distribution"]))
        return cls(name=value["name"], distribution=domain, symbol=value["symbol"])


def _greek(word: str) -> str | None:
    """Return the small Greek letter of a name.

    Unicode spells lambda without b.
    """
    try:
        return unicodedata.lookup(
            f"GREEK SMALL LETTER {'LAMDA' if word == 'lambda' else word.upper()}"
        )
    except KeyError:
        return None
