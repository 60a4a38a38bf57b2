"""Configs from a user's file: what `--configs FILE` lets compete."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.errors import InputError
from search.spec import SweepSpec
from spaces import Space
from trainables.engine.contract import Scalar

if TYPE_CHECKING:
    pass


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
    rows: list[Any]
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            rows = json.loads(text)
        elif path.suffix == ".jsonl":
            rows = [json.loads(line) for line in text.splitlines() if line.strip()]
        elif path.suffix == ".csv":
            rows = list(csv.DictReader(text.splitlines()))
        else:
            raise InputError(f"--configs file must be .json, .jsonl or .csv, got {path.name!r}.")
    except json.JSONDecodeError as error:
        raise InputError(f"--configs file {path} is not JSON: {error}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"--configs file {path} is no text in UTF-8: {error}.") from error
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"--configs file {path} must hold a non-empty list of objects.")
    for row in rows:
        narrowed = space.narrow({name: (value,) for name, value in row.items()})
        config = {
            axis.name: axis.values[0]
            for axis in narrowed.axes
            if not {axis.name, *axis.aliases}.isdisjoint(row)
        }
        yield space.complete(config)  # raises where an axis that matters is not given


# More configs than this are not enumerated by any strategy: narrow the space instead.
_MOST_CONFIGS = 200_000


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
    elif spec.configs not in ("reference", "ablation"):
        others = read_configs(space, Path(spec.configs))
    for config in others:
        complete = space.complete(config)
        chosen.setdefault(key(complete), (complete, None))
    configs = tuple(config for config, _ in chosen.values())
    names = {i: name for i, (_, name) in enumerate(chosen.values()) if name is not None}
    baseline = next((i for i, name in names.items() if name == space.baseline), None)
    return configs, names, baseline, tuple(left_out)
