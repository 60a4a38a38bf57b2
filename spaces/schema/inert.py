"""Inert: rules for hyper-parameters that have no effect.

Two configs that differ only in such a parameter are one training: the rule gives them one cell key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spaces.schema.scalar import FrozenMapping, Scalar


@dataclass(frozen=True, kw_only=True)
class Inert:
    """Parameters that have no effect while others hold certain values.

    Attributes:
        when: Name of an axis or fixed value -> values; all of them must match.
        axes: Names of the axes and fixed values without effect then.
    """

    when: Mapping[str, tuple[Scalar, ...]]
    axes: tuple[str, ...]

    def __post_init__(self) -> None:
        when = {name: tuple(values) for name, values in self.when.items()}
        object.__setattr__(self, "when", FrozenMapping(when))
        object.__setattr__(self, "axes", tuple(self.axes))

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value from which `from_json` makes an equal rule."""
        when = {name: list(values) for name, values in self.when.items()}
        return {"when": when, "axes": list(self.axes)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Inert:
        """Return the rule that `to_json` wrote."""
        when = {name: tuple(values) for name, values in value["when"].items()}
        return cls(when=when, axes=tuple(value["axes"]))
