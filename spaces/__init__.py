"""Search spaces, and the vocabulary in which they are declared.

No torch, Ray, MLflow or I/O.

Example:
    >>> from optuna.distributions import CategoricalDistribution
    >>> from spaces import Axis, Inert, Space
    >>> space = Space(
    ...     name="mine",
    ...     trainable="triple_entropy",
    ...     source="section 3 of my paper",
    ...     axes=(
    ...         Axis(name="beta", distribution=CategoricalDistribution([0.5, 1.0])),
    ...         Axis(name="k", distribution=CategoricalDistribution([2, 10])),
    ...     ),
    ...     fixed={"epochs": 5},
    ...     inert=(Inert(when={"beta": (1.0,)}, axes=("k",)),),
    ... )
    >>> len(space)
    4
    >>> space.active({"beta": 1.0, "k": 10})
    {'beta': 1.0, 'epochs': 5}

Names are imported when they are first used, so a command without a space imports none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spaces.schema.axis import Axis
    from spaces.schema.inert import Inert
    from spaces.schema.protocol import Protocol
    from spaces.schema.scalar import Scalar
    from spaces.schema.space import Space
    from trainables.engine.errors import SpaceError

__all__ = ["Axis", "Inert", "Protocol", "Scalar", "Space", "SpaceError"]

_HOME = {
    "Axis": "spaces.schema.axis",
    "Inert": "spaces.schema.inert",
    "Protocol": "spaces.schema.protocol",
    "Scalar": "spaces.schema.scalar",
    "Space": "spaces.schema.space",
    "SpaceError": "trainables.engine.errors",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'spaces' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
