"""Configs from a user's file: what `--configs FILE` lets compete."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from search.errors import InputError
from search.spec import SweepSpec
from spaces import Space
from trainables.engine.contract import Scalar
from trainables.engine.errors import SpaceError


def read_configs(space: Space, path: Path) -> Iterator[dict[str, Scalar]]:
    """Configs from the rows of a .json, .jsonl or .csv file.

    Raises:
        InputError: if there is no such file, it cannot be read, or holds no objects; SpaceError for
            an axis that is missing or a value that is not allowed.
    """
    for number, row in enumerate(_rows(path), start=1):
        try:
            narrowed = space.narrow({name: (value,) for name, value in row.items()})
            config = {
                axis.name: axis.values[0]
                for axis in narrowed.axes
                if not {axis.name, *axis.aliases}.isdisjoint(row)
            }
            yield space.complete(config)  # raises where an axis that matters is not given
        except SpaceError as error:
            raise SpaceError(f"--configs file {path}, config {number:,}: {error}") from error


def _rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a file of configs.

    Raises:
        InputError: naming the file, and the line where that is known.
    """
    reader = _READERS.get(path.suffix.lower())
    if not path.is_file():
        raise InputError(
            f"--configs must be all, reference, ablation or a file; there is no file {str(path)!r}."
        )
    if reader is None:
        raise InputError(f"--configs file must be .json, .jsonl or .csv, got {path.name!r}.")
    try:
        rows = reader(path.read_text(encoding="utf-8-sig"))
    except RecursionError as error:
        raise InputError(f"--configs file {path} is nested too deep to be read.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"--configs file {path} is no text in UTF-8: {error}.") from error
    except json.JSONDecodeError as error:
        raise InputError(f"--configs file {path} is not JSON: {error}.") from error
    except (ValueError, csv.Error, OSError) as error:
        digits = "digits" in str(error) and "limit" in str(error)
        why = "it holds a number of thousands of digits" if digits else error
        raise InputError(f"--configs file {path} cannot be read: {why}.") from error
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"--configs file {path} must hold a non-empty list of objects.")
    for number, row in enumerate(rows, start=1):
        nested = next((name for name, value in row.items() if isinstance(value, list | dict)), None)
        if nested is not None:
            raise InputError(
                f"--configs file {path}, config {number:,}: {nested!r} must have one value, got a "
                f"{type(row[nested]).__name__}."
            )
    return rows


def _json_lines(text: str) -> list[Any]:
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            rows += [json.loads(line)] if line.strip() else []
        except json.JSONDecodeError as error:
            raise ValueError(f"line {number:,} is not JSON: {error}") from error
    return rows


def _csv(text: str) -> list[Any]:
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    filled = [(lines.line_num, fields) for fields in lines if any(map(str.strip, fields))]
    names = [name.strip() for name in filled[0][1]] if filled else []
    for number, fields in filled[1:]:
        if len(fields) != len(names):
            raise ValueError(
                f"line {number:,} has {len(fields)} fields, the header has {len(names)}"
            )
    if len(set(names)) < len(names):
        raise ValueError(f"the header names a column twice: {', '.join(names)}")
    return [dict(zip(names, fields, strict=True)) for _, fields in filled[1:]]


_READERS: Mapping[str, Callable[[str], Any]] = {
    ".json": json.loads,
    ".jsonl": _json_lines,
    ".csv": _csv,
}


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
        if spec.configs == "all" and name != space.baseline and not space.admits(config):
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
