"""A config dict to its trainable's Config, all misfits in one message."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any

from trainables.engine import registry
from trainables.engine.contract import Scalar
from trainables.engine.errors import ConfigError, RegistryError


def config_class(trainable: str) -> type[Any]:
    """The Config of a trainable: a frozen, keyword-only dataclass of JSON scalars.

    Raises:
        RegistryError: if there is no such trainable.
    """
    found = registry.load("trainables", trainable, "Config")
    if not dataclasses.is_dataclass(found) or not isinstance(found, type):
        raise RegistryError(f"Config of trainable {trainable!r} must be a dataclass.")
    return found


def bind(trainable: str, config: Mapping[str, Scalar]) -> Any:
    """The Config of a complete config.

    Raises:
        ConfigError: listing every field that is missing or unknown, or the value that the Config
            itself refuses.
    """
    cls = config_class(trainable)
    fields = {item.name: item for item in dataclasses.fields(cls)}
    faults = []
    for name in config:
        if name not in fields:
            near = difflib.get_close_matches(name, fields, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            faults.append(f"{trainable}.Config has no field {name!r}.{hint}")
    for name, item in fields.items():
        required = item.default is dataclasses.MISSING
        if required and item.default_factory is dataclasses.MISSING and name not in config:
            faults.append(f"{trainable}.Config wants a value for {name!r}.")
    if faults:
        raise ConfigError("\n".join(faults))
    with registry.plugin_rules("trainables", trainable):
        return cls(**config)
