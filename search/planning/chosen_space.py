"""Space of a sweep: as declared, and as its user narrows it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from search.errors import InputError
from search.functions import own_file
from search.spec.sweep_spec import SweepSpec
from search.strategies.named import RANGED, SAMPLING
from spaces import Space
from trainables.engine import registry
from trainables.engine.functions.declaration import REGRESSION
from trainables.engine.training import scoring


def declared_space(spec: SweepSpec) -> Space:
    """The spec's space as it is declared.

    Raises:
        ValueError: naming an unknown space, and those that there are.
    """
    if spec.plugin is not None:
        registry.register_plugin(Path(spec.plugin))
    own = own_file.space_of(spec)
    if own is not None:
        return own
    space = (
        registry.load("spaces", spec.space, "SPACE")
        if spec.declared is None
        else Space.from_json(spec.declared)
    )
    if not isinstance(space, Space):
        raise InputError(f"SPACE of {spec.space!r} must be a Space, got {type(space).__name__}.")
    return space


def narrowed_space(spec: SweepSpec) -> Space:
    """The spec's space with its --set and --fix applied.

    Raises:
        ValueError: naming an unknown space, axis or value, and what is allowed.
    """
    space = declared_space(spec)
    space = space.search(spec.set_axes) if spec.set_axes else space
    space = space.fix(spec.fix) if spec.fix else space
    return with_objective(spec, _without_ranges(spec, _with_metadata(spec, space)))


def with_objective(spec: SweepSpec, space: Space) -> Space:
    """The space, ranked by the metric that its user named.

    Raises:
        RegistryError: if no cell has it.
    """
    name = spec.objective
    if name is None or name == space.objective:
        return space
    own = own_file.module_of(spec) is not None
    if own and name not in REGRESSION:
        # A function may return any metric; whether it does, its first cell tells.
        word, low = name, scoring.low_is_good(name)
    elif own:
        word, low = name, REGRESSION[name]
    else:
        word = scoring.check_objective(name)
        low = scoring.low_is_good(word)
    return replace(space, objective=word, mode="min" if low else "max")


def _without_ranges(spec: SweepSpec, space: Space) -> Space:
    """Give ranges points, for strategies that take them; refuse others."""
    if space.ranges and spec.configs == "all" and spec.strategy not in RANGED:
        names = ", ".join(space.ranges)
        raise InputError(
            f"{names} of space {space.name!r} is a range, which strategy {spec.strategy!r} cannot "
            f"enumerate: search it with --strategy {' or '.join(RANGED)}, or name the values to "
            f"try, --set {space.ranges[0]}=V,V."
        )
    return space.sampled() if space.ranges or spec.strategy in SAMPLING else space


def _with_metadata(spec: SweepSpec, space: Space) -> Space:
    """Drop values of axis `metadata` that the data have no columns for."""
    if spec.data.metadata and "metadata" not in space.kinds:
        raise InputError(
            f"Space {space.name!r} joins no metadata to its texts, got --metadata "
            f"{','.join(spec.data.metadata)}. Leave it out, or use the space 'tweets'."
        )
    axis = next((axis for axis in space.axes if axis.name == "metadata"), None)
    if spec.data.metadata or axis is None or "metadata" in spec.set_axes:
        return space  # what --set and --fix ask for is refused once the data are read
    return space.narrow({"metadata": ("none",)})
