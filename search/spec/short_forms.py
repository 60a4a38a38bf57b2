"""Short forms of a sweep's fields: names, files, objects."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from trainables.engine.contract import NO_MODEL, DataRef
from trainables.engine.registry import hint


def data_of(fields: Mapping[str, Any]) -> DataRef:
    """A DataRef of its fields.

    Raises:
        ValueError: naming each unknown field, and each of a wrong type.
    """
    known = [field.name for field in dataclasses.fields(DataRef)]
    unknown = [
        f"data has no field {name!r}.{hint(name, known)}" for name in fields if name not in known
    ]
    if unknown:
        raise ValueError("; ".join(unknown))
    try:
        return TypeAdapter(DataRef).validate_python(dict(fields))
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, ('data', *fault['loc'])))}: "
            f"{fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors()
        ]
        raise ValueError("; ".join(faults)) from None


def own_strategy(given: Any) -> Any:
    """The user's own strategy, if it can be one.

    Raises:
        ValueError: saying what a strategy may be.
    """
    kinds = (("sample_relative",), ("suggest", "on_trial_complete"), ("ask", "tell"))
    if any(all(callable(getattr(given, name, None)) for name in kind) for kind in kinds):
        return given
    raise ValueError(
        "strategy must be a name, an Optuna sampler, a Ray Tune Searcher, or have ask() and "
        f"tell(config, score); got {given!r}"
    )


def of_file(path: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a sweep whose space is a user's file.

    Raises:
        ValueError: if there is no such file, or a plugin beside it.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise ValueError(f"space {path}: there is no such file")
    if fields.get("plugin") is not None:
        raise ValueError(f"space {path} is a file of your own already: leave plugin out")
    if not file.stem.isidentifier():
        raise ValueError(f"space {path}: its name must be an identifier, as my_cells.py")
    model = fields.get("model")
    return {
        "space": file.stem,
        "plugin": str(file.resolve()),
        "model": NO_MODEL if model is None else model,
    }
