"""From a user's words to the axes and values of a space, and what to say where there is no way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from spaces.schema.axis import Axis
from spaces.schema.scalar import Scalar, nearest, read_scalar
from trainables.engine.errors import SpaceError

if TYPE_CHECKING:
    from spaces.schema.space import Space


def unknown(space: Space, word: str, what: str, names: tuple[str, ...]) -> str:
    """The message for a name that the space does not have.

    Args:
        space: The space.
        word: What was given.
        what: "axis" or "parameter".
        names: All that it could have been.
    """
    aliases = {alias: axis.name for axis in space.axes for alias in axis.aliases}
    shown = ", ".join(
        f"{name} ({symbols[0]})"
        if (symbols := [alias for alias, owner in aliases.items() if owner == name])
        else name
        for name in names
    )
    return (
        f"Space {space.name!r} has no {what} {word!r}.{nearest(word, (*names, *aliases))} "
        f"It has {shown or 'none'}."
    )


def read(space: Space, name: str, value: object) -> Scalar:
    """The value, or the word for it, in the type of an axis or fixed name.

    Raises:
        SpaceError: naming the parameter, the type that it needs and the value.
    """
    try:
        return read_scalar(value, space.kinds[name])
    except ValueError as error:
        raise SpaceError(f"{name} of space {space.name!r} {error}.") from None


def _name(space: Space, word: str) -> str:
    """The name that a word stands for, by itself or as the paper's symbol; else the word."""
    plain = word.strip().replace("-", "_")
    owners = [axis.name for axis in space.axes if plain in axis.aliases]
    return owners[0] if owners and plain not in space.kinds else plain


def narrowed(space: Space, axes: Mapping[str, Iterable[Scalar]]) -> dict[str, Axis]:
    """Every axis by name, those that are given with only their given values.

    Raises:
        SpaceError: all faults, a line each.
    """
    known = {axis.name: axis for axis in space.axes}
    chosen: dict[str, Axis] = {}
    faults = []
    for word, given in axes.items():
        name = _name(space, word)
        if name in chosen:
            faults.append(f"Axis {name!r} is given values twice, the second time as {word!r}.")
        elif name in space.fixed:
            faults.append(
                f"{name!r} is not an axis of space {space.name!r} but fixed to "
                f"{space.fixed[name]!r}: give it another value with --fix {name}=V. Axes: "
                f"{', '.join(known)}."
            )
        elif name not in known:
            faults.append(unknown(space, word, "axis", tuple(known)))
        else:
            try:
                # A text is many values with commas, never its letters.
                chosen[name] = known[name].narrow(
                    given.split(",") if isinstance(given, str) else given
                )
            except SpaceError as error:
                faults.append(str(error))
    if faults:
        raise SpaceError("\n".join(faults))
    return known | chosen


def fixed(space: Space, values: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """The given values by name, in the types of the parameters.

    Raises:
        SpaceError: all faults, a line each.
    """
    chosen: dict[str, Scalar] = {}
    faults = []
    for word, given in values.items():
        name = _name(space, word)
        if name in chosen:
            faults.append(f"{name!r} is fixed twice, the second time as {word!r}.")
        elif name not in space.kinds:
            faults.append(unknown(space, word, "parameter", tuple(space.kinds)))
        else:
            try:
                chosen[name] = read(space, name, given)
            except SpaceError as error:
                faults.append(str(error))
    if faults:
        raise SpaceError("\n".join(faults))
    return chosen
