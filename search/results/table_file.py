"""Tables written to files, each as its ending says."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from search.checks.output_paths import OutputFile

Columns = Mapping[str, Sequence[Any]]


def write(
    columns: Columns, path: Path, metadata: Mapping[str | bytes, str | bytes] | None = None
) -> None:
    """Write columns to a file as its ending says.

    The file is replaced as a whole; a pipe gets a CSV.

    Args:
        columns: Values by name, all of one length; None is a blank.
        path: File that `TABLE` or `TABLE_OR_PIPE` found writable.
        metadata: Words about the table; Parquet alone can keep them.
    """
    if path.exists() and not path.is_file():  # a pipe or a device
        _csv(columns, path)
        return
    draft = path.with_name(f"{path.name}.draft")
    try:
        if path.suffix.lower() == ".parquet":
            _parquet(columns, draft, metadata)
        else:
            _WRITERS[path.suffix.lower()](columns, draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _csv(columns: Columns, path: Path, delimiter: str = ",") -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, delimiter=delimiter)
        rows.writerow(columns)
        rows.writerows([_cell(value) for value in row] for row in _rows(columns))


def _tsv(columns: Columns, path: Path) -> None:
    _csv(columns, path, "\t")


def _jsonl(columns: Columns, path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for values in _rows(columns):
            row = {
                name: None if isinstance(value, float) and not math.isfinite(value) else value
                for name, value in zip(columns, values, strict=True)
            }
            file.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")


def _parquet(
    columns: Columns, path: Path, metadata: Mapping[str | bytes, str | bytes] | None
) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    def array(values: Sequence[Any]) -> pa.Array:
        try:
            return pa.array(values)
        except (pa.ArrowException, OverflowError):  # values of several types
            return pa.array([None if value is None else str(value) for value in values])

    arrays = {name: array(values) for name, values in columns.items()}
    table = pa.table(arrays).replace_schema_metadata(metadata)
    parquet.write_table(table, path, compression="zstd", compression_level=19)


def _rows(columns: Columns) -> Iterator[tuple[Any, ...]]:
    return zip(*columns.values(), strict=True)


def _cell(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return ""
    return json.dumps(value, default=str) if isinstance(value, dict | list) else value


_WRITERS: Mapping[str, Callable[[Columns, Path], None]] = {
    ".csv": _csv,
    ".tsv": _tsv,
    ".jsonl": _jsonl,
}
ENDINGS = (*_WRITERS, ".parquet")
TABLE = OutputFile(*ENDINGS)
TABLE_OR_PIPE = OutputFile(*ENDINGS, pipes=True)
