"""A user's file as space and trainable at once."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import ModuleType
from typing import Any

from search.errors import InputError
from search.process.folders import STATE
from search.spec.sweep_spec import SweepSpec
from spaces import Space
from spaces.schema.from_axes import space_of_axes
from trainables.engine import registry
from trainables.engine.cells.trainable import Trainable
from trainables.engine.contract import NO_MODEL
from trainables.engine.functions.declaration import REGRESSION, Train, takes_model, trains

_DECLARED = ("AXES", "SPACE", "OBJECTIVE", "MODE", "BASELINE", "VERSION", "STRATEGY")


def module_of(spec: SweepSpec) -> ModuleType | None:
    """Module of the user's file with a training function; None without one."""
    trainable = registry.plugged("trainables", spec.space)
    return None if spec.plugin is None or trainable is None or not trains(trainable) else trainable


def space_of(spec: SweepSpec) -> Space | None:
    """Space that a file declares by AXES; None for other files.

    Raises:
        InputError: if it declares neither, or both; SpaceError for axes that cannot be.
    """
    module = module_of(spec)
    if module is None or (hasattr(module, "SPACE") and not hasattr(module, "AXES")):
        return None
    if hasattr(module, "SPACE"):
        raise InputError(f"{spec.plugin} declares AXES and SPACE: leave one of them.")
    if not hasattr(module, "AXES"):
        near = next(
            (hint for name in vars(module) if name.isupper() and (hint := _misspelt(name))), ""
        )
        raise InputError(
            f"{spec.plugin} has {_functions(module)} and no AXES:{near} name what to search, as "
            'AXES = {"C": [0.1, 1.0, 10.0]}.'
        )
    declared = getattr(module, "OBJECTIVE", None)
    objective = spec.objective or declared
    if objective is None:
        if spec.data.target is not None:
            raise InputError(
                f"A number is scored by a metric that is named: write OBJECTIVE = "
                f'"{next(iter(REGRESSION))}" into {spec.plugin} (of {", ".join(REGRESSION)}, or '
                "one that train returns, with MODE)."
            )
        objective = "accuracy"
    return space_of_axes(
        spec.space,
        module.AXES,
        objective=objective,
        mode=_mode(module, objective, declared),
        baseline=_baseline(module, spec),
    )


def _functions(module: ModuleType) -> str:
    return "a function train" if hasattr(module, "train") else "fit and predict"


def _mode(module: ModuleType, objective: Any, declared: Any) -> Any:
    """The file's MODE for its own objective, else the metric's sense."""
    usual = "min" if _falls(objective) else "max"
    return getattr(module, "MODE", usual) if objective == declared else usual


def _falls(objective: Any) -> bool:
    """Tell if a low value of a metric is good."""
    return REGRESSION.get(objective, objective in ("loss", "entropy"))


def _misspelt(name: str) -> str:
    hint = "" if name in _DECLARED else registry.hint(name, _DECLARED)
    return f"{hint} {name} is there;" if hint else ""


def _baseline(module: ModuleType, spec: SweepSpec) -> Any:
    baseline = getattr(module, "BASELINE", None)
    if baseline is not None and not isinstance(baseline, dict):
        raise InputError(
            f'BASELINE of {spec.plugin} must be a config, as {{"C": 1.0}}; got {baseline!r}.'
        )
    return baseline


def written(name: str, text: str) -> Path:
    """Write a file's text where files of functions lie; returns its path."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    path = STATE / "functions" / digest / name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return path.resolve()


def is_function(space: Space) -> bool:
    """Tell if a space's cells are trained by a user's function."""
    return function_of(space) is not None


def function_of(space: Space) -> Train | None:
    """Training function of a space; None for one of foldrace's own."""
    # To import a trainable of foldrace's takes seconds.
    if registry.plugged("trainables", space.trainable) is None:
        return None
    return Trainable.load(space.trainable).train


def with_whole_table(spec: SweepSpec, space: Space) -> SweepSpec:
    """Read every column where a function trains; say which model it gets.

    Raises:
        InputError: if the function takes a model and none is named, or the other way round.
    """
    function = function_of(space)
    if function is None:
        if spec.data.target is not None:
            raise InputError(
                f"--target is for a training function of your own; space {space.name!r} predicts "
                "classes: give --label."
            )
        return spec
    if takes_model(function) and spec.model == NO_MODEL:
        raise InputError(f"The function of {spec.plugin} takes a model: name it with --model.")
    if (spec.resources.workers_per_trial or 1) > 1:
        raise InputError(
            f"--workers-per-trial {spec.resources.workers_per_trial} splits a network's batches, "
            "and a function of your own trains in one process: leave it out, or give the process "
            "more with --cpus-per-trial and --gpus-per-trial."
        )
    from dataclasses import replace

    changes: dict[str, Any] = {"data": replace(spec.data, columns="all")}
    if not takes_model(function):
        changes["model"] = NO_MODEL
    return spec.model_copy(update=changes)
