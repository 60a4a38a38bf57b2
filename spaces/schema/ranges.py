"""Ranges that a user types, LOW..HIGH or LOW..HIGH:log, and points on them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Set

from optuna.distributions import FloatDistribution, IntDistribution

from spaces.schema.scalar import Scalar, read_scalar

Range = IntDistribution | FloatDistribution

POINTS = 33
"""Values that stand for a range: as fine as a score can tell apart, and no more."""

_DOTS, _LOG = "..", ":log"


def read_range(value: object, kinds: Set[type]) -> Range | None:
    """Return the range that a word spells; None for any other value.

    Args:
        value: A value or its word.
        kinds: Types that the parameter's values may have.

    Raises:
        ValueError: with the end of a sentence, for a range that the parameter cannot have.
    """
    if not isinstance(value, str) or _DOTS not in value or kinds == {str}:
        return None
    word = value.strip()
    logarithmic = word.endswith(_LOG)
    ends = word.removesuffix(_LOG).split(_DOTS)
    try:
        low, high = (read_scalar(end, (int, float)) for end in ends)
    except ValueError:
        if not kinds & {int, float} or str in kinds:
            return None  # "../pairs.csv" where any type may stand
        raise ValueError(
            f"must be LOW{_DOTS}HIGH, or LOW{_DOTS}HIGH{_LOG}, of two numbers, got {value!r}"
        ) from None
    if not isinstance(low, int | float) or not isinstance(high, int | float) or low >= high:
        raise ValueError(f"must be a range whose first number is the lower one, got {value!r}")
    if logarithmic and low <= 0:
        raise ValueError(f"must start above 0 to be searched on a logarithmic scale, got {value!r}")
    whole = isinstance(low, int) and isinstance(high, int)
    if not whole and float not in kinds:
        raise ValueError(f"must be a range of whole numbers, got {value!r}")
    if whole and int in kinds:
        return IntDistribution(int(low), int(high), log=logarithmic)
    return FloatDistribution(low, high, log=logarithmic)


def word_of(domain: Range) -> str:
    """Return the word that `read_range` reads as this range."""
    return f"{domain.low}{_DOTS}{domain.high}{_LOG if domain.log else ''}"


def points_of(domain: Range, between: Iterable[Scalar] = ()) -> tuple[float, ...]:
    """Return values that stand for a range, evenly spaced on its scale.

    Args:
        domain: The range.
        between: Further values; those that lie within it are among its points.
    """
    low, high = float(domain.low), float(domain.high)
    steps = [step / (POINTS - 1) for step in range(1, POINTS - 1)]
    if domain.log:
        inner = [math.exp(math.log(low) + step * math.log(high / low)) for step in steps]
    else:
        inner = [low + step * (high - low) for step in steps]
    numbers = [float(f"{value:.{_digits(domain)}g}") for value in inner]
    own = [float(v) for v in between if isinstance(v, int | float) and not isinstance(v, bool)]
    chosen = {low, high} | {value for value in (*numbers, *own) if low < value < high}
    if isinstance(domain, IntDistribution):
        return tuple(sorted({round(value) for value in chosen}))
    return tuple(sorted(chosen))


def _digits(domain: Range) -> int:
    """Return significant digits that tell the points apart."""
    if domain.log:
        step = math.log(domain.high / domain.low) / (POINTS - 1)
    else:
        step = (domain.high - domain.low) / (POINTS - 1) / max(abs(domain.low), abs(domain.high))
    return min(17, max(3, 2 - math.floor(math.log10(step))))
