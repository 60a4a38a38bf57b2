"""A user's file with `train`, or with `fit` and `predict`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from trainables.engine.config import TrainingConfig
from trainables.engine.contract import Scalar
from trainables.engine.errors import RegistryError

_TRAIN = ("config", "train", "test", "seed")
_FIT = ("config", "train", "seed")
_PREDICT = ("model", "test")
_OPTIONAL = ("model",)
PAIR = "fit(config, train, seed) -> model and predict(model, test) -> probabilities"
"""Pair of functions whose model can be kept, as messages name it."""
REGRESSION = {"rmse": True, "mae": True, "median_absolute_error": True, "r2": False}
"""Metrics of a number that a function predicts; True where a low one is good."""

Train = Callable[..., Any]
"""train(config, train, test, seed), a user's; with a parameter `model` also that."""


@dataclass(frozen=True)
class Pair:
    """A user's pair of functions, which trains a cell as `train` does.

    Attributes:
        fit: fit(config, train, seed), with a parameter `model` also that; returns a model.
        predict: predict(model, test), whose `test` has no labels.
    """

    fit: Callable[..., Any]
    predict: Callable[..., Any]

    def __call__(self, config: Any, train: Any, test: Any, seed: int, **model: str) -> Any:
        """Train a cell."""
        return self.predict(self.fit(config, train, seed, **model), test.unlabelled())


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


def trains(module: ModuleType) -> bool:
    """Tell if a file has a training function, or a pair."""
    if hasattr(module, "build"):
        return False
    return hasattr(module, "train") or all(hasattr(module, name) for name in ("fit", "predict"))


def train_of(module: ModuleType) -> Train | None:
    """Return a file's training function; None for one that builds networks.

    Of a file with `fit` and `predict` alone it is the pair.

    Raises:
        RegistryError: if a function cannot be called as it has to be.
    """
    if not trains(module):
        return None
    if not hasattr(module, "train"):
        return pair_of(module)
    return _checked(module, "train", _TRAIN)


def pair_of(module: ModuleType) -> Pair | None:
    """Return a file's `fit` and `predict`; None if one is missing.

    Raises:
        RegistryError: if one of them cannot be called as it has to be.
    """
    if not (hasattr(module, "fit") and hasattr(module, "predict")):
        return None
    return Pair(_checked(module, "fit", _FIT), _checked(module, "predict", _PREDICT, ()))


def _checked(
    module: ModuleType,
    name: str,
    wanted: tuple[str, ...],
    optional: tuple[str, ...] = _OPTIONAL,
) -> Callable[..., Any]:
    """Return a file's function that can be called with what is wanted."""
    function = getattr(module, name)
    file = str(getattr(module, "__file__", module.__name__)).rpartition("/")[2]
    if not callable(function):
        raise RegistryError(f"{file}: {name} must be a function, got {function!r}.")
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise RegistryError(f"{file}: {name} must return its answer; it is a generator or async.")
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
    extra = [word for word in needed[len(wanted) :] if word not in optional]
    if (len(positional) < len(wanted) and not any_number) or extra:
        given = ", ".join(p.name for p in parameters)
        beside = ", and with model= where it has such a parameter" if optional else ""
        raise RegistryError(
            f"{file}: {name} takes ({given}); it is called as {name}({', '.join(wanted)}){beside}."
        )
    return function  # type: ignore[no-any-return]


def takes_model(function: Train) -> bool:
    """Return True for a function with a parameter `model`."""
    if isinstance(function, Pair):
        function = function.fit
    try:
        return "model" in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


def name_of(function: Train) -> str:
    """Name of the function that gives a cell's answer."""
    return "predict" if isinstance(function, Pair) else "train"


def file_of(function: Train) -> str | None:
    """File of a user's function, as its frames name it."""
    written = function.fit if isinstance(function, Pair) else function
    return getattr(getattr(written, "__code__", None), "co_filename", None)
