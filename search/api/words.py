"""Words of the command line as a sweep's specification."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from search.api.tables import path_of
from search.errors import InputError
from search.functions.source import file_of
from search.process.environment import usable_cpus
from search.spec.make_spec import make_spec
from search.spec.sweep_spec import Budget, Resources, SweepSpec
from trainables.engine import registry
from trainables.engine.contract import DataRef

_DATA = tuple(f.name for f in dataclasses.fields(DataRef) if f.name not in ("name", "columns"))
_BUDGET, _RESOURCES = tuple(Budget.model_fields), tuple(Resources.model_fields)
_HIDDEN = ("outer", "declared", "budget", "resources")
_SPEC = tuple(name for name in SweepSpec.model_fields if name not in _HIDDEN)
# As the command line has them -> as the fields are called.
_ALIASES = {"set": "set_axes", "clean": "cleaning", "compile": "compiled"}
# Beside a function: what stands in capitals in a file.
_DECLARED = {"axes": "AXES", "objective": "OBJECTIVE", "mode": "MODE", "baseline": "BASELINE"}
# In place of a training function, or beside it: its model can be kept.
_PAIR = ("fit", "predict")
_POINTS = 100


def known_words() -> tuple[str, ...]:
    """Words that `run` and `plan` take."""
    names = [*_SPEC, *_DATA, *_BUDGET, *_RESOURCES, "budget", "resources", *_ALIASES, *_DECLARED]
    names += _PAIR
    return tuple(sorted(dict.fromkeys(names)))


def spec_of(what: Any, words: Mapping[str, Any]) -> SweepSpec:
    """The sweep that was asked for.

    Args:
        what: A SweepSpec, which takes no words beside it; a space by name, as a `spaces.Space`, or
            as the path of a .py file; a training function; None for the default space.
        words: The words of the command line by name, with underscores: data, text, label, model,
            set, fix, seeds, folds, max_cells and so on. Of a function also axes, objective, mode
            and baseline; fit and predict, in its place or beside it. `stop_margin` is in points.

    Raises:
        InputError: naming each word that is not known, and the nearest; or what is wrong with one.
    """
    if isinstance(what, SweepSpec):
        if words:
            raise InputError(
                f"A SweepSpec says all by itself: leave {', '.join(words)} out, or change it with "
                f"spec.model_copy(update={{...}})."
            )
        return what
    _check(words)
    given = {_ALIASES.get(name, name): value for name, value in words.items()}
    if what is None:
        what = given.pop("space", None)
    elif given.pop("space", None) is not None:
        raise InputError("The space is given twice, first and as space=.")
    if "data" not in given:
        raise InputError(
            "data is missing: run(..., data=FRAME), a path, or a name (`foldrace data` lists them)."
        )
    fields = {name: value for name, value in given.items() if name in _SPEC}
    if what is not None or any(name in given for name in _PAIR):
        fields["space"] = _space(what, given)
    fields["resources"] = _part(given, "resources", _RESOURCES)
    fields["data"] = _data(given, _trials_here(fields["resources"]))
    if "set_axes" in fields:
        fields["set_axes"] = {name: _values(value) for name, value in fields["set_axes"].items()}
    if isinstance(fields.get("seeds"), int):
        fields["seeds"] = (fields["seeds"],)
    if fields.get("holdout") is not None:
        fields.setdefault("folds", None)
    fields["budget"] = _part(given, "budget", _BUDGET)
    return make_spec(**fields)


def _check(words: Mapping[str, Any]) -> None:
    known = known_words()
    faults = [
        f"{word} is no word of a sweep.{registry.hint(word, known)}"
        for word in words
        if word not in known
    ]
    if faults:
        raise InputError("\n".join([*faults, f"Words: {', '.join(known)}."]))


def _space(what: Any, given: Mapping[str, Any]) -> Any:
    """Space as the specification takes it; a function becomes a file."""
    declared = {name: given[name] for name in _DECLARED if name in given}
    functions = _functions(what, given)
    if functions:
        if "axes" not in declared:
            said = ", ".join(
                _name_of(one) if name == "train" else f"{name}={_name_of(one)}"
                for name, one in functions.items()
            )
            raise InputError(
                f"{_name_of(next(iter(functions.values())))} needs axes, as run({said}, "
                'axes={"C": [0.1, 1.0]}, data=...).'
            )
        return str(file_of(functions, {_DECLARED[name]: value for name, value in declared.items()}))
    stray = [name for name in declared if name not in _SPEC]
    if stray:
        raise InputError(
            f"{', '.join(stray)}: only beside a training function, as run(train, ...)."
        )
    return str(what) if isinstance(what, Path) else what


def _functions(what: Any, given: Mapping[str, Any]) -> dict[str, Callable[..., Any]]:
    """The user's functions by the names that a file has for them."""
    functions = {"train": what} if callable(what) and not isinstance(what, type) else {}
    pair = {name: given[name] for name in _PAIR if name in given}
    if not pair:
        return functions
    if what is not None and not functions:
        raise InputError(
            f"{', '.join(pair)}: functions of your own take a space's place; leave {what!r} out, "
            "or write them into its file."
        )
    for name, one in pair.items():
        if not callable(one):
            raise InputError(f"{name} must be a function, got {one!r}.")
    if len(pair) < len(_PAIR):
        missing = next(name for name in _PAIR if name not in pair)
        raise InputError(
            f"{next(iter(pair))} needs {missing} beside it: run(fit=fit, predict=predict, "
            "axes=..., data=...), with fit(config, train, seed) and predict(model, test)."
        )
    return functions | pair


def _name_of(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", "train")


def _trials_here(resources: Any) -> int:
    """Number of trials at once on this machine, as asked for."""

    def word(name: str) -> Any:
        own = resources.get(name) if isinstance(resources, Mapping) else None
        return own if own is not None else getattr(resources, name, None)

    if word("ray_address") not in (None, "local"):
        return 0
    trials, cpus = word("trials"), word("cpus_per_trial")
    if isinstance(trials, int):
        return trials
    return max(1, int(usable_cpus() / (cpus if isinstance(cpus, int | float) and cpus > 0 else 1)))


def _data(given: Mapping[str, Any], trials: int) -> DataRef:
    data = given["data"]
    words = {name: given[name] for name in _DATA if name in given}
    if isinstance(data, DataRef):
        return dataclasses.replace(data, **words)
    for name in ("cleaning", "metadata"):
        if isinstance(words.get(name), str):
            words[name] = tuple(part.strip() for part in words[name].split(","))
    try:
        return DataRef(name=path_of(data, given.get("name"), trials), **words)
    except ValueError as error:
        raise InputError(str(error)) from error


def _values(value: Any) -> tuple[Any, ...]:
    """Values of an axis: several, one, or words with commas."""
    if isinstance(value, str):
        return tuple(value.split(","))
    if isinstance(value, Iterable) and not isinstance(value, Mapping):
        return tuple(part.item() if hasattr(part, "item") else part for part in value)
    return (value,)


def _part(given: Mapping[str, Any], whole: str, names: Iterable[str]) -> Any:
    """Budget or resources: as one, or by their words."""
    own = {name: given[name] for name in names if name in given}
    if own.get("stop_margin") is not None:
        own["stop_margin"] = round(own["stop_margin"] / _POINTS, 12)
    if whole not in given:
        return own
    if own:
        raise InputError(f"{whole} and {', '.join(own)} say the same twice: leave one out.")
    return given[whole]
