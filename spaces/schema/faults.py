"""Faults in the declaration of a space."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from spaces.schema.axis import Axis
from spaces.schema.inert import Inert
from spaces.schema.scalar import Scalar, is_scalar
from trainables.engine.errors import SpaceError

# len() of Python cannot give more than 2**63 - 1.
_MOST_POINTS = 2**62


def of_labels(labels: Mapping[str, str], mode: str) -> Iterator[str]:
    """Yield empty texts, and a mode that is neither max nor min."""
    for label, text in labels.items():
        if not text.strip():
            yield f"{label} must not be empty."
    if mode not in ("max", "min"):
        yield f"mode must be 'max' or 'min', got {mode!r}."


def of_names(
    axes: Sequence[Axis], fixed: Mapping[str, Scalar], lists: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """Yield names that are double, unknown or no identifiers.

    Args:
        axes: Axes of the space.
        fixed: Fixed values by name.
        lists: Names that must be axes or fixed values, by the attribute that lists them.
    """
    words = Counter([axis.name for axis in axes] + list(fixed))
    words.update(alias for axis in axes for alias in axis.aliases)
    for word, count in words.items():
        if count > 1:
            yield f"{word!r} must name one axis or one fixed value, it names {count}."
    for name in fixed:
        if not name.isidentifier():
            yield f"A fixed name must be an identifier, got {name!r}."
    parameters = {axis.name for axis in axes} | set(fixed)
    for label, names in lists.items():
        for name in names:
            if name not in parameters:
                yield f"{label} must name axes or fixed values, got {name!r}."


def of_values(axes: Sequence[Axis], fixed: Mapping[str, Scalar]) -> Iterator[str]:
    """Yield fixed values that are no scalars, and grids too large."""
    for name, value in fixed.items():
        if not is_scalar(value):
            yield f"Fixed {name!r} must be a finite JSON scalar, got {value!r}."
    points = math.prod(len(axis.values) for axis in axes if axis.interval is None)
    if points > _MOST_POINTS:
        yield f"A grid must have at most 2**62 points, got {points}."


def of_rules(rules: Sequence[Inert]) -> Iterator[str]:
    """Yield inert rules with an empty side or in a wrong order."""
    for place, rule in enumerate(rules):
        if not rule.when or not rule.axes:
            yield "An inert rule must say when, and what is inert then; one side is empty."
        # Else what a rule decides could change once the parameter takes its first value.
        for later in rules[place:]:
            for name in set(rule.when) & set(later.axes):
                yield f"The rule that makes {name!r} inert must stand before the rule on its value."


def of_references(
    references: Mapping[str, Mapping[str, Scalar]],
    baseline: str | None,
    ablation: Sequence[str],
    complete: Callable[[Mapping[str, Scalar]], object],
) -> Iterator[str]:
    """Yield references that are no configs, and names that are no references.

    Args:
        references: Configs by name.
        baseline: Name of a reference.
        ablation: Names of references.
        complete: Raises SpaceError for a config that is not of the space.
    """
    for name, config in references.items():
        try:
            complete(config)
        except SpaceError as error:
            yield f"Reference {name!r}: {error}"
    if baseline is not None and baseline not in references:
        yield (
            f"baseline must be one of the references, got {baseline!r}; they are "
            f"{', '.join(references) or 'none'}."
        )
    for name in ablation:
        if name not in references:
            yield f"ablation must name references, got {name!r}."
