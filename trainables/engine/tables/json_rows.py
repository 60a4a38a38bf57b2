"""JSON as columns: an object a line, or one array of objects."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from trainables.engine.errors import DataError
from trainables.engine.tables.table import Table, kept_places, listed

_EXAMPLE = '{"text": ..., "label": ...}'


def read_json_lines(path: Path, text: str, wanted: Collection[str] | None) -> Table:
    """Return the columns of JSON lines.

    A key that a row lacks is a missing value.

    Raises:
        DataError: naming the first line that is no JSON object.
    """
    rows, numbers = _of_lines(path, text)
    return _table(path, rows, wanted, numbers)


def objects(path: Path, text: str) -> list[dict[str, Any]]:
    """Return the objects of a file of JSON, by its ending.

    Raises:
        DataError: if the file holds something else.
    """
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        return _of_lines(path, text)[0]
    return _of_array(path, text)[0]


def _of_lines(path: Path, text: str) -> tuple[list[dict[str, Any]], list[int]]:
    """Return the objects of lines, each with its line's number."""
    rows: list[dict[str, Any]] = []
    numbers: list[int] = []
    # Not splitlines(): JSON strings may hold U+2028 and its like unescaped.
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if not line.strip():
            continue
        place = f"{path}, line {number:,}"
        row = _parsed(place, line, "Every line must be one object.")
        if not isinstance(row, dict):
            raise DataError(
                f"{place} is not a JSON object but a {type(row).__name__}: every line must look "
                f"like {_EXAMPLE}.{_array_hint(path, row)}"
            )
        rows.append(row)
        numbers.append(number)
    if not rows:
        raise DataError(f"{path} is empty: it holds blank lines only.")
    return rows, numbers


def read_json(path: Path, text: str, wanted: Collection[str] | None) -> Table:
    """Return the columns of an array of objects.

    Objects one below the other are read as JSON lines.

    Raises:
        DataError: if the file holds something else.
    """
    rows, numbers = _of_array(path, text)
    return _table(path, rows, wanted, numbers)


def _of_array(path: Path, text: str) -> tuple[list[dict[str, Any]], list[int]]:
    """Return the objects of an array; line numbers where there are some."""
    whole = text.strip()
    if not whole:
        raise DataError(f"{path} is empty: it holds blank lines only.")
    lines = whole.split("\n", 2)
    if whole.startswith("{") and len(lines) > 1 and lines[0].rstrip().endswith("}"):
        return _of_lines(path, text)
    value = _parsed(str(path), text, f"It must hold one array of objects: [{_EXAMPLE}, ...].")
    if isinstance(value, dict):
        lists = [name for name, inner in value.items() if _are_rows(inner)]
        if len(lists) != 1:
            raise DataError(
                f"{path} is one JSON object with the keys {_listed(value)}; it must hold one array "
                f"of objects, [{_EXAMPLE}, ...]. From pandas: "
                "frame.to_json(path, orient='records')."
            )
        value = value[lists[0]]
    if not isinstance(value, list):
        raise DataError(
            f"{path} is not a JSON array but a {type(value).__name__}: it must hold objects, "
            f"[{_EXAMPLE}, ...]."
        )
    if not value:
        raise DataError(f"{path} is empty: its array has no rows.")
    for number, row in enumerate(value, 1):
        if not isinstance(row, dict):
            raise DataError(
                f"{path}, data row {number:,} is not a JSON object but a {type(row).__name__}: "
                f"every row must look like {_EXAMPLE}."
            )
    return value, []


def _parsed(place: str, text: str, rule: str) -> Any:
    """Return a JSON value.

    Raises:
        DataError: for no JSON, and for JSON that is nested too deep or holds endless numbers.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{place} is not JSON: {error}. {rule}") from error
    except RecursionError as error:
        raise DataError(f"{place} is JSON that is nested too deep to be a row. {rule}") from error
    # Python reads no whole number of more than 4,300 digits.
    except ValueError as error:
        raise DataError(f"{place} holds a number of too many digits: {error}.") from error


def _are_rows(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(r, dict) for r in value)


def _array_hint(path: Path, row: object) -> str:
    if isinstance(row, list) and row and isinstance(row[0], dict):
        name = path.name.lower().removesuffix(".gz")
        return f" An array of objects is read from a file that ends in .json, not {name[-6:]!r}."
    return ""


def _listed(value: dict[str, Any]) -> str:
    names = [f"'{listed([name])}'" for name in list(value)[:6]]
    return ", ".join(names) + (f" and {len(value) - 6:,} more" if len(value) > 6 else "")


def _table(
    path: Path, rows: Sequence[dict[str, Any]], wanted: Collection[str] | None, lines: Sequence[int]
) -> Table:
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    shown, keep = kept_places(str(path), names, wanted)
    return Table(
        source=str(path),
        names=shown,
        columns={name: [row.get(names[at]) for row in rows] for name, at in keep.items()},
        rows=len(rows),
        typed=True,
        lines=lines,
    )
