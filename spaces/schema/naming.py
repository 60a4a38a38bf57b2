"""The names of a space, and the words that stand for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from spaces.schema import later
from spaces.schema.axis import Axis
from spaces.schema.scalar import Scalar, kinds_like, nearest, read_scalar
from trainables.engine.errors import SpaceError


@dataclass(frozen=True)
class Names:
    """Axes and fixed values of a space, by name and symbol.

    Attributes:
        space: Name of the space, for messages.
        axes: Axes that are searched.
        fixed: Values of the other parameters, by name.
        referred: Types of the values that references have, or had, by name.
    """

    space: str
    axes: tuple[Axis, ...]
    fixed: Mapping[str, Scalar]
    referred: Mapping[str, frozenset[type]] = field(default_factory=dict)

    @cached_property
    def kinds(self) -> dict[str, frozenset[type]]:
        """Types that the values of each axis and fixed name may have."""
        # A parameter that came later may have the value that it had before, which may be none.
        fixed = {
            name: kinds_like(value) | (self.referred.get(name, frozenset()) & {type(None)})
            for name, value in self.fixed.items()
        }
        return {axis.name: self._kinds_of(axis) for axis in self.axes} | fixed

    def _kinds_of(self, axis: Axis) -> frozenset[type]:
        """Return the types of an axis's values.

        References that it was narrowed past keep theirs: of None and numbers on one axis, either
        may be left alone.
        """
        none = {type(None)}
        referred = self.referred.get(axis.name, frozenset())
        return axis.kinds | (referred if axis.kinds == none else referred & none)

    @cached_property
    def _aliases(self) -> dict[str, str]:
        return {alias: axis.name for axis in self.axes for alias in axis.aliases}

    def unknown(self, word: str, kind: str, names: Iterable[str]) -> str:
        """Return the message for a name that the space does not have.

        Args:
            word: Name that was typed.
            kind: "axis" or "parameter".
            names: Names that it could have been.
        """
        symbols = {name: f"{name} ({alias})" for alias, name in reversed(self._aliases.items())}
        names = list(names)
        shown = ", ".join(symbols.get(name, name) for name in names)
        return (
            f"Space {self.space!r} has no {kind} {word!r}.{nearest(word, (*names, *self._aliases))}"
            f"{_of_tuning(word)} It has {shown or 'none'}."
        )

    def read(self, name: str, value: object) -> Scalar:
        """Return a typed value in the type of its parameter.

        Raises:
            SpaceError: naming the parameter, the type that it needs and the value.
        """
        try:
            return read_scalar(value, self.kinds[name])
        except ValueError as error:
            raise SpaceError(f"{name} of space {self.space!r} {error}.") from None

    def resolve(self, word: str) -> str:
        """Return the name behind a word or symbol; else the word."""
        plain = word.strip().replace("-", "_")
        return plain if plain in self.kinds else self._aliases.get(plain, plain)

    def narrow(self, axes: Mapping[str, Iterable[Scalar]]) -> tuple[Axis, ...]:
        """Return every axis; those that are named have only the named values.

        Raises:
            SpaceError: with all faults, a line each.
        """
        axis_of = {axis.name: axis for axis in self.axes}
        narrowed: dict[str, Axis] = {}
        faults = []
        for word, values in axes.items():
            name = self.resolve(word)
            if name in narrowed:
                faults.append(f"Axis {name!r} is given values twice, the second time as {word!r}.")
            elif name in self.fixed:
                faults.append(
                    f"{name!r} is not an axis of space {self.space!r} but fixed to "
                    f"{self.fixed[name]!r}: give it another value with --fix {name}=V, or "
                    f"several with --set {name}=V,V. Axes: "
                    f"{', '.join(axis_of)}."
                )
            elif name not in axis_of:
                faults.append(self.unknown(word, "axis", axis_of))
            else:
                try:
                    # A text is many values with commas, never its letters.
                    narrowed[name] = axis_of[name].narrow(
                        values.split(",") if isinstance(values, str) else values
                    )
                except SpaceError as error:
                    faults.append(str(error))
        if faults:
            raise SpaceError("\n".join(faults))
        return tuple((axis_of | narrowed).values())

    def fix(self, values: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """Return values by name, in the types of their parameters.

        Raises:
            SpaceError: with all faults, a line each.
        """
        fixed: dict[str, Scalar] = {}
        faults = []
        for word, value in values.items():
            name = self.resolve(word)
            if name in fixed:
                faults.append(f"{name!r} is fixed twice, the second time as {word!r}.")
            elif name not in self.kinds:
                faults.append(self.unknown(word, "parameter", self.kinds))
            else:
                try:
                    fixed[name] = self.read(name, value)
                except SpaceError as error:
                    faults.append(str(error))
        if faults:
            raise SpaceError("\n".join(faults))
        return fixed


def _of_tuning(word: str) -> str:
    """Explain a setting of trained encoders; blank for others."""
    if word not in later.FINE_TUNING or word in later.TRAINING:
        return ""
    return (
        f" {word} is a setting of spaces that train an encoder, such as finetune and softtriple; "
        "on a frozen one it has nothing to set."
    )
