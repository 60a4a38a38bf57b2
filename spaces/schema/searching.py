"""Any value as an axis: other values, several of one, a range."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from spaces.schema import ranges
from spaces.schema.axis import Axis
from spaces.schema.naming import Names
from spaces.schema.scalar import Scalar, listing, read_scalar
from trainables.engine.errors import SpaceError


@dataclass(frozen=True)
class Searched:
    """Parameters of a space after a user named values for some.

    Attributes:
        axes: Axes of the space in their order, then those that were fixed.
        new: Names of these.
        fixed: Values of parameters that were fixed and have another one.
    """

    axes: tuple[Axis, ...]
    new: tuple[str, ...]
    fixed: Mapping[str, Scalar]


def searched(names: Names, wanted: Mapping[str, Iterable[Scalar]]) -> Searched:
    """Return the parameters with the values that a user named.

    Args:
        names: Axes and fixed values of the space.
        wanted: Name or symbol -> values, or their words, or "10,100", or a range.

    Raises:
        SpaceError: with all faults, a line each.
    """
    own = {axis.name: axis for axis in names.axes}
    axes, fixed, faults = dict(own), dict[str, Scalar](), list[str]()
    seen: set[str] = set()
    for word, values in wanted.items():
        name = names.resolve(word)
        # A text is many values with commas, never its letters.
        given = values.split(",") if isinstance(values, str) else list(values)
        try:
            if name in seen:
                raise SpaceError(f"{name!r} is given values twice, the second time as {word!r}.")
            if name not in names.kinds:
                raise SpaceError(names.unknown(word, "parameter", names.kinds))
            seen.add(name)
            axis = _axis(names, name, own.get(name), given)
        except SpaceError as error:
            faults.append(str(error))
            continue
        if name in own or not _single(axis):
            axes[name] = axis
        else:
            fixed[name] = axis.first
    if faults:
        raise SpaceError("\n".join(faults))
    # In the space's order: a ledger does not keep that of typing, and configs go by number.
    new = tuple(name for name in names.fixed if name in axes)
    others = {name: fixed[name] for name in names.fixed if name in fixed}
    return Searched(tuple(axes[name] for name in (*own, *new)), new, others)


def beyond(names: Names, wanted: Searched) -> dict[str, str]:
    """Return the values that a space lacks, as text by name.

    Args:
        names: The space's own axes and fixed values.
        wanted: Those that are searched.
    """
    own = {axis.name: axis for axis in names.axes}
    found = {}
    for axis in wanted.axes:
        if axis == own.get(axis.name):
            continue
        if isinstance(axis.distribution, ranges.Range):
            found[axis.name] = ranges.word_of(axis.distribution)
        elif values := [
            v for v in axis.values if not _has(names, own.get(axis.name), axis.name, v)
        ]:
            found[axis.name] = listing(values)
    other = {name: value for name, value in wanted.fixed.items() if value != names.fixed[name]}
    return found | {name: listing([value]) for name, value in other.items()}


def _has(names: Names, own: Axis | None, name: str, value: Scalar) -> bool:
    return value == names.fixed[name] if own is None else own.has(value)


def sampled(axes: Iterable[Axis], configs: Iterable[Mapping[str, Scalar]]) -> tuple[Axis, ...]:
    """Return the axes with points in place of ranges.

    Args:
        axes: Axes of a space.
        configs: Configs whose values are among the points, where they lie within a range.
    """
    known = list(configs)
    return tuple(_with_points(axis, [config.get(axis.name) for config in known]) for axis in axes)


def _with_points(axis: Axis, known: Sequence[Scalar]) -> Axis:
    domain = axis.distribution
    if not isinstance(domain, ranges.Range) or not _is_long(axis):
        return axis
    points = ranges.points_of(domain, known)
    return replace(axis, distribution=CategoricalDistribution(points))


def _is_long(axis: Axis) -> bool:
    """Return True for a range of which only points can be searched."""
    domain = axis.distribution
    many = isinstance(domain, IntDistribution) and domain.log and len(axis.values) > ranges.POINTS
    return axis.interval is not None or many


def _single(axis: Axis) -> bool:
    return axis.interval is None and len(axis.values) == 1


def _axis(names: Names, name: str, own: Axis | None, given: Sequence[Scalar]) -> Axis:
    """Return the axis of a parameter's values, or of a range.

    Raises:
        SpaceError: naming the parameter, and the value that it cannot have.
    """
    kinds = names.kinds[name]
    label = f"axis {name!r}" if own is not None else f"{name} of space {names.space!r}"
    try:
        domains = [ranges.read_range(value, kinds) for value in given]
        domain = next((domain for domain in domains if domain is not None), None)
        if domain is not None and len(given) > 1:
            raise ValueError(f"must be one range or several values, got {listing(given)}")
        if domain is not None:
            return _over(name, own, domain)
        chosen = list(dict.fromkeys(read_scalar(value, kinds) for value in given))
    except ValueError as error:
        shown = "" if own is None else f"; its own are {own.domain}"
        raise SpaceError(f"A value of {label} {error}{shown}.") from None
    if not chosen:
        raise SpaceError(f"{label[0].upper()}{label[1:]} needs at least one value.")
    if own is not None and all(own.has(value) for value in chosen):
        return own.narrow(chosen)
    known: tuple[Scalar, ...] = (
        (names.fixed[name],) if own is None else () if own.interval is not None else own.values
    )
    return _over(name, own, CategoricalDistribution(_in_order(chosen, known)))


def _over(name: str, own: Axis | None, domain: BaseDistribution) -> Axis:
    symbol = None if own is None else own.symbol
    return Axis(name=name, distribution=domain, symbol=symbol)


def _in_order(chosen: Sequence[Scalar], own: Sequence[Scalar]) -> list[Scalar]:
    """Return values in one order, however they were typed.

    Numbers come first, rising or falling as the axis's own do; names come in the axis's order,
    new ones after them.
    """

    def numbers(values: Iterable[Scalar]) -> list[float]:
        return [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]

    declared = numbers(own)
    falling = len(declared) > 1 and declared == sorted(declared, reverse=True)
    ordered: list[Scalar] = [*sorted(numbers(chosen), reverse=falling)]
    names = [value for value in chosen if value not in ordered or isinstance(value, bool)]
    place = {value: at for at, value in enumerate(own)}
    return ordered + sorted(names, key=lambda value: (place.get(value, len(own)), str(value)))
