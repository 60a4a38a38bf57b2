"""Configs from a user's file: what `--configs FILE` lets compete."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from search.errors import InputError
from search.spec.sweep_spec import SweepSpec
from spaces import Space
from trainables.engine.contract import Scalar
from trainables.engine.errors import DataError, SpaceError
from trainables.engine.tables.delimited import read_delimited
from trainables.engine.tables.json_rows import objects
from trainables.engine.tables.text_file import read_text


def read_configs(space: Space, path: Path) -> Iterator[dict[str, Scalar]]:
    """Configs from the rows of a .json, .jsonl or .csv file.

    Raises:
        InputError: if there is no such file, it cannot be read, or holds no objects; SpaceError for
            an axis that is missing or a value that is not allowed.
    """
    if not path.is_file():
        raise InputError(
            f"--configs must be all, reference, ablation or a file; there is no file {str(path)!r}."
        )
    if path.suffix.lower() not in (".json", ".jsonl", ".csv"):
        raise InputError(f"--configs file must be .json, .jsonl or .csv, got {path.name!r}.")
    try:
        rows = _rows(path)
    except DataError as error:
        raise InputError(f"--configs must be a non-empty list of objects: {error}") from error
    for number, row in enumerate(rows, start=1):
        where = f"--configs file {path}, config {number:,}"
        nested = next((name for name, value in row.items() if isinstance(value, list | dict)), None)
        if nested is not None:
            kind = type(row[nested]).__name__
            raise InputError(f"{where}: {nested!r} must have one value, got a {kind}.")
        try:
            narrowed = space.narrow({name: (value,) for name, value in row.items()})
            config = {
                axis.name: axis.values[0]
                for axis in narrowed.axes
                if not {axis.name, *axis.aliases}.isdisjoint(row)
            }
            yield space.complete(config)  # raises where an axis that matters is not given
        except SpaceError as error:
            raise SpaceError(f"{where}: {error}") from error


def _rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a file; a key that JSON lacks stays absent.

    Raises:
        DataError: if it cannot be read as its ending says.
    """
    text = read_text(path)
    if path.suffix.lower() != ".csv":
        return objects(path, text)
    table = read_delimited(",", path, text, None, ())
    # Reading has numbered those of one name.
    twice = {match[1] for name in table.names if (match := _NUMBERED.fullmatch(name))}
    doubled = next((name for name in table.names if name in twice), None)
    if doubled is not None:
        raise DataError(f"{path} has several columns called {doubled!r}: leave one.")
    columns = [table.columns[name] for name in table.names]
    return [dict(zip(table.names, row, strict=True)) for row in zip(*columns, strict=True)]


_NUMBERED = re.compile(r"(.+) \(\d+\)", re.DOTALL)

# More configs than this are not enumerated by any strategy: narrow the space instead.
_MOST_CONFIGS = 200_000
_NAMED = ("all", "reference", "ablation")


def check_configs(spec: SweepSpec, space: Space) -> None:
    """Refuse a file of configs that the space does not take.

    Raises:
        InputError: as `choose_configs`.
    """
    if spec.configs not in _NAMED:
        for _ in read_configs(space, Path(spec.configs)):
            pass


def _competes(spec: SweepSpec, space: Space, reference: Mapping[str, Scalar]) -> bool:
    """Return True for a reference that the sweep admits.

    In a fixed value a reference may differ from the space, unless the user fixed it.
    """
    typed = {name.replace("-", "_") for name in (*spec.fix, *spec.set_axes)}
    own = {
        name: value
        for name, value in reference.items()
        if name in space.fixed and name not in typed
    }
    return (space.fix(own) if own else space).admits(reference)


def choose_configs(
    spec: SweepSpec, space: Space
) -> tuple[tuple[Mapping[str, Scalar], ...], dict[int, str], int | None, tuple[str, ...]]:
    """Choose the configs that compete, in a fixed order, with their names.

    Returns complete configs, reference names by index, the baseline's index, and names left out.

    References stand first. One that the narrowed axes exclude is left out, but never the baseline:
    it is what gains are measured against.
    """
    chosen: dict[str, tuple[Mapping[str, Scalar], str | None]] = {}
    left_out = []
    references = space.references
    named = {"all": tuple(references), "reference": tuple(references), "ablation": space.ablation}
    chosen_names = named.get(spec.configs, ())  # a file's configs stand for themselves
    if spec.configs == "ablation" and not chosen_names:
        raise InputError(
            f"Space {space.name!r} names no ablation configs; use --configs reference."
        )
    if space.baseline is not None and space.baseline not in chosen_names:
        chosen_names = (space.baseline, *chosen_names)

    def key(config: Mapping[str, Scalar]) -> str:
        return json.dumps(space.active(config), sort_keys=True)

    for name in chosen_names:
        config = references[name]
        if spec.configs == "all" and name != space.baseline and not _competes(spec, space, config):
            left_out.append(name)
            continue
        complete = space.complete(config)
        chosen.setdefault(key(complete), (complete, name))
    others: Iterator[Mapping[str, Scalar]] = iter(())
    if spec.configs == "all":
        if len(space) > _MOST_CONFIGS:
            raise InputError(
                f"Space {space.name!r} has {len(space):,} configs, at most {_MOST_CONFIGS:,} can "
                "compete: narrow an axis with --set."
            )
        others = space.grid()
    elif spec.configs not in _NAMED:
        others = read_configs(space, Path(spec.configs))
    for config in others:
        complete = space.complete(config)
        chosen.setdefault(key(complete), (complete, None))
    configs = tuple(config for config, _ in chosen.values())
    names = {i: name for i, (_, name) in enumerate(chosen.values()) if name is not None}
    baseline = next((i for i, name in names.items() if name == space.baseline), None)
    return configs, names, baseline, tuple(left_out)
