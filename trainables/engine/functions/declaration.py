"""A user's file with a `train` function, read once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from trainables.engine.config import TrainingConfig
from trainables.engine.contract import Scalar
from trainables.engine.errors import RegistryError

_WANTED = ("config", "train", "test", "seed")
_OPTIONAL = ("model",)
REGRESSION = {"rmse": True, "mae": True, "median_absolute_error": True, "r2": False}
"""Metrics of a number that a function predicts; True where a low one is good."""

Train = Callable[..., Any]
"""train(config, train, test, seed), a user's; with a parameter `model` also that."""


@dataclass(frozen=True, kw_only=True)
class FunctionConfig(TrainingConfig):
    """Values that a user's function gets.

    Those of training by the engine are not the function's: they are set to what says nothing.

    Attributes:
        values: The config, as (name, value) pairs.
    """

    values: tuple[tuple[str, Scalar], ...] = ()

    def rules(self) -> dict[str, bool]:
        """Return no rule: the function knows its own."""
        return {}

    @classmethod
    def of(cls, config: Mapping[str, Scalar]) -> FunctionConfig:
        """Return the Config of any values."""
        return cls(
            learning_rate=1.0,
            weight_decay=0.0,
            warmup_fraction=0.0,
            schedule="constant",
            batch_size=1,
            max_length=3,
            epochs=1,
            clip_norm=0.0,
            precision="fp32",
            values=tuple(config.items()),
        )


def train_of(module: ModuleType) -> Train | None:
    """Return a file's own training function; None for one that builds networks.

    Raises:
        RegistryError: if it cannot be called as train(config, train, test, seed).
    """
    function = getattr(module, "train", None)
    if function is None or hasattr(module, "build"):
        return None
    name = str(getattr(module, "__file__", module.__name__)).rpartition("/")[2]
    if not callable(function):
        raise RegistryError(f"{name}: train must be a function, got {function!r}.")
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise RegistryError(f"{name}: train must return its answer; it is a generator or async.")
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return function  # type: ignore[no-any-return]
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    any_number = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    needed = [
        p.name
        for p in parameters
        if p.default is p.empty
        and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    extra = [name for name in needed[4:] if name not in _OPTIONAL]
    if (len(positional) < len(_WANTED) and not any_number) or extra:
        given = ", ".join(p.name for p in parameters)
        raise RegistryError(
            f"{name}: train takes ({given}); it is called as train({', '.join(_WANTED)}), and with "
            "model= where it has such a parameter."
        )
    return function  # type: ignore[no-any-return]


def takes_model(function: Train) -> bool:
    """Return True for a function with a parameter `model`."""
    try:
        return "model" in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
