"""A space from a dict of names and values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from optuna.distributions import CategoricalDistribution

from spaces.schema.axis import Axis
from spaces.schema.scalar import Scalar, is_scalar
from spaces.schema.space import Space
from trainables.engine.errors import SpaceError

BASELINE = "baseline"
"""Name of the config that a file's BASELINE declares."""


def space_of_axes(
    name: str,
    axes: Any,
    *,
    objective: str = "accuracy",
    mode: Literal["max", "min"] = "max",
    baseline: Mapping[str, Scalar] | None = None,
) -> Space:
    """Return the space of some names and their values.

    Args:
        name: Name of the space and of its trainable.
        axes: Values to search by name; a text like "0.01..100:log" is a range.
        objective: Metric that ranks configs.
        mode: "max" where a high one is good, else "min".
        baseline: Config that gains are measured against; None for none.

    Raises:
        SpaceError: naming the axis, and what its values may be.
    """
    if not isinstance(axes, Mapping) or not axes:
        raise SpaceError(
            f'AXES of {name} must be a dict of names and values, as {{"C": [0.1, 1.0]}}; got '
            f"{axes!r}."
        )
    ranges = {key: values for key, values in axes.items() if isinstance(values, str)}
    space = Space(
        name=name,
        trainable=name,
        source="a training function of the user's own",
        axes=tuple(_axis(key, values) for key, values in axes.items()),
        fixed={},
        objective=objective,
        mode=mode,
        references={} if baseline is None else {BASELINE: dict(baseline)},
        baseline=None if baseline is None else BASELINE,
    )
    return space.search({key: (words,) for key, words in ranges.items()}) if ranges else space


def _axis(name: Any, values: Any) -> Axis:
    if not isinstance(name, str):
        raise SpaceError(f"A name in AXES must be a text, got {name!r}.")
    if isinstance(values, str):
        # A range replaces it: its type is that of the ends.
        low = values.partition("..")[0]
        try:
            end: Scalar = int(low) if low.strip().lstrip("+-").isdecimal() else float(low)
        except ValueError:
            raise SpaceError(
                f"AXES[{name!r}] must be a list of values, or a range as 0.01..100:log; got "
                f"{values!r}."
            ) from None
        return Axis(name=name, distribution=CategoricalDistribution([end]))
    if not isinstance(values, Iterable) or isinstance(values, Mapping):
        raise SpaceError(f"AXES[{name!r}] must be a list of values, got {values!r}.")
    listed = [_plain(value) for value in values]
    strange = next((value for value in listed if not is_scalar(value)), None)
    if strange is not None:
        raise SpaceError(
            f"AXES[{name!r}] must hold numbers, texts, true, false or None, one each; got "
            f"{strange!r}. Name what is more than that by a text, and look it up in train."
        )
    if not listed:
        raise SpaceError(f"AXES[{name!r}] needs at least one value.")
    return Axis(name=name, distribution=CategoricalDistribution(listed))


def _plain(value: Any) -> Any:
    """Return numpy's numbers as Python's."""
    return value.item() if hasattr(value, "item") and not hasattr(value, "__len__") else value
