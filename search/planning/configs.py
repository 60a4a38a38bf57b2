"""Configs from a user's file: what `--configs FILE` lets compete."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from search.errors import InputError
from spaces.schema.space import Space
from trainables.engine.contract import Scalar


def read_configs(space: Space, path: Path) -> Iterator[dict[str, Scalar]]:
    """Configs from a .json list, .jsonl lines or .csv rows of axis values.

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
        given = {
            axis.name: axis.values[0]
            for axis in narrowed.axes
            if not {axis.name, *axis.aliases}.isdisjoint(row)
        }
        yield space.complete(given)  # raises where an axis that matters is not given
