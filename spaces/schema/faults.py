"""What can be wrong with the declaration of a space: all of it, found before anything is tried."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from spaces.schema.scalar import is_scalar
from trainables.engine.errors import SpaceError

if TYPE_CHECKING:
    from spaces.schema.space import Space

# len() of Python cannot give more than 2**63 - 1.
_MOST_POINTS = 2**62


def find(space: Space) -> list[str]:
    """All faults of a space, a sentence each.

    References are tried only on a space that is sound without them.
    """
    faults = [*_names(space), *_values(space), *_rules(space)]
    return faults or list(_references(space))


def _names(space: Space) -> Iterator[str]:
    for label in ("name", "trainable", "objective", "source"):
        if not getattr(space, label).strip():
            yield f"{label} must not be empty."
    if space.mode not in ("max", "min"):
        yield f"mode must be 'max' or 'min', got {space.mode!r}."
    words = Counter([axis.name for axis in space.axes] + list(space.fixed))
    words.update(alias for axis in space.axes for alias in axis.aliases)
    for word, count in words.items():
        if count > 1:
            yield f"{word!r} must name one axis or one fixed value, it names {count}."


def _values(space: Space) -> Iterator[str]:
    for name, value in space.fixed.items():
        if not name.isidentifier():
            yield f"A fixed name must be an identifier, got {name!r}."
        if not is_scalar(value):
            yield f"Fixed {name!r} must be a finite JSON scalar, got {value!r}."
    points = math.prod(len(axis.values) for axis in space.axes if axis.interval is None)
    if points > _MOST_POINTS:
        yield f"A grid must have at most 2**62 points, got {points}."
    known = {axis.name for axis in space.axes} | set(space.fixed)
    for name in space.shape:
        if name not in known:
            yield f"shape must name axes or fixed values, got {name!r}."
    for name in space.yielding:
        if name not in known:
            yield f"yielding must name axes or fixed values, got {name!r}."


def _rules(space: Space) -> Iterator[str]:
    known = {axis.name for axis in space.axes} | set(space.fixed)
    for place, rule in enumerate(space.inert):
        for name in (*rule.when, *rule.axes):
            if name not in known:
                yield f"An inert rule must name axes or fixed values, got {name!r}."
        if not rule.when or not rule.axes:
            yield "An inert rule must say when, and what is inert then; one side is empty."
        # Else what a rule decides could change once the parameter takes its first value.
        for later in space.inert[place:]:
            for name in set(rule.when) & set(later.axes):
                yield f"The rule that makes {name!r} inert must stand before the rule on its value."


def _references(space: Space) -> Iterator[str]:
    for name, config in space.references.items():
        try:
            space.complete(config)
        except SpaceError as error:
            yield f"Reference {name!r}: {error}"
    if space.baseline is not None and space.baseline not in space.references:
        yield (
            f"baseline must be one of the references, got {space.baseline!r}; they are "
            f"{', '.join(space.references) or 'none'}."
        )
    for name in space.ablation:
        if name not in space.references:
            yield f"ablation must name references, got {name!r}."
