"""Local tables: .csv, .tsv, .jsonl and .parquet files as columns.

Each fault is reported with its place. Python's csv module is used instead of pandas: ids such as
007, the text "NA" and ragged rows come through as they stand in the file, or with the number of
their line.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainables.engine.errors import DataError

_NAMES = {"\t": "tab", ",": "comma", ";": "semicolon"}


@dataclass(frozen=True)
class Table:
    """Columns of one table.

    Attributes:
        source: Path or name of the table, for messages.
        names: All column names, in the table's order.
        columns: Values of the selected columns that exist, each (rows,).
        rows: Number of rows.
        typed: True where values carry types; False where every value is a string (CSV, TSV).
        notes: Corrections by the reader, for the audit.
        hint: Advice for a missing column.
    """

    source: str
    names: tuple[str, ...]
    columns: Mapping[str, Sequence[Any]]
    rows: int
    typed: bool
    notes: tuple[str, ...] = ()
    hint: str = ""


def read_table(path: Path, column_names: Collection[str]) -> Table:
    """Read some columns of a local file.

    Args:
        path: Path of a .csv, .tsv, .jsonl (.ndjson) or .parquet file.
        column_names: Names of the columns to keep; names that the file lacks are left out.

    Raises:
        DataError: if the file is missing, empty, of another kind, not UTF-8, or damaged; the
            message names the line.
    """
    reader = reader_of(path)
    try:
        return reader(path, column_names)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}.") from error


def reader_of(path: Path) -> Callable[[Path, Collection[str]], Table]:
    """Return the reader of a kind of file.

    Raises:
        DataError: if the file is missing, empty or of another kind.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"{path} has the ending {path.suffix or '(none)'!r}; readable are "
            f"{', '.join(READERS)}: save the table as one of these."
        )
    if path.is_dir():
        raise DataError(f"{path} is a folder, a file is needed.")
    if not path.is_file():
        raise DataError(f"There is no file {path}.{_neighbours(path)}")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty.")
    return reader


def _neighbours(path: Path) -> str:
    if not path.parent.is_dir():
        return f" There is no folder {path.parent} either."
    files = sorted(entry.name for entry in path.parent.iterdir() if entry.suffix in READERS)
    if not files:
        return ""
    more = f" and {len(files) - 8} more" if len(files) > 8 else ""
    return f" The folder has {', '.join(files[:8])}{more}."


def _decoded(path: Path) -> str:
    """Return the file's text without a byte order mark.

    Raises:
        DataError: with the first line that is not UTF-8.
    """
    raw = path.read_bytes()
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{path} is not UTF-8 but UTF-16: save it as UTF-8.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path} is not UTF-8: byte 0x{raw[error.start]:02x} in line {line:,} (offset "
            f"{error.start:,}). Save it as UTF-8, for example with: "
            f"iconv -f windows-1252 -t utf-8 {path.name}"
        ) from error
    if "\0" in text[:4096]:
        raise DataError(f"{path} holds zero bytes: it is not a text file.")
    return text


def _csv(path: Path, column_names: Collection[str]) -> Table:
    """Read values separated by commas, or semicolons.

    Spreadsheets of many countries write semicolons.
    """
    text = _decoded(path)
    header = text.lstrip().split("\n", 1)[0]
    if "," in header or ";" not in header:
        return _from_lines(path, ",", _quoted(path, text, ","), column_names)
    table = _from_lines(path, ";", _quoted(path, text, ";"), column_names)
    return dataclasses.replace(table, notes=("read as separated by semicolons", *table.notes))


def _tsv(path: Path, column_names: Collection[str]) -> Table:
    """Read tab-separated values, with or without quoting.

    The file itself decides. In one dialect a quote is an ordinary character (GLUE, LIAR), in the
    other it wraps fields that hold tabs or line breaks (spreadsheets). A field broken over lines
    makes the plain reading ragged. So where the plain reading fits and has more rows, quotes are
    ordinary characters.
    """
    text = _decoded(path)
    plain = [
        (number, line.split("\t") if line else [])
        for number, line in enumerate(text.replace("\r\n", "\n").removesuffix("\n").split("\n"), 1)
    ]
    if '"' not in text:
        return _from_lines(path, "\t", plain, column_names)
    fits = len({len(fields) for _, fields in plain if fields}) == 1
    try:
        quoted = _quoted(path, text, "\t")
    except DataError:
        if not fits:
            raise
        quoted = []
    if fits and sum(1 for _, f in plain if f) != sum(1 for _, f in quoted if f):
        return _from_lines(path, "\t", plain, column_names)
    return _from_lines(path, "\t", quoted, column_names)


def _quoted(path: Path, text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """Return (line number, fields) of each row, quotes understood.

    Raises:
        DataError: for a quote that is never closed, or text after a closing quote.
    """
    limit = csv.field_size_limit(sys.maxsize)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[tuple[int, list[str]]] = []
    begins = 1
    try:
        for fields in reader:
            rows.append((begins, fields))
            begins = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{path}, line {begins:,}: {error}. A quote opens a field there and is not closed "
            "before the next delimiter; a quote inside a quoted field is written twice."
        ) from error
    finally:
        csv.field_size_limit(limit)
    return rows


def _from_lines(
    path: Path,
    delimiter: str,
    lines: Sequence[tuple[int, list[str]]],
    column_names: Collection[str],
) -> Table:
    """Return a table of lines whose fields all fit the header.

    Raises:
        DataError: if there is no header, no row, or a row with another number of fields.
    """
    # A row of delimiters only is what spreadsheets leave behind: as blank as an empty line.
    filled = [(number, fields) for number, fields in lines if any(f.strip() for f in fields)]
    if not filled:
        raise DataError(f"{path} is empty: it holds blank lines only.")
    names = [name.strip() for name in filled[0][1]]
    body = filled[1:]
    if names[0].lower().startswith(("<!doctype html", "<html")):
        raise DataError(f"{path} is a web page, no table: was it a download that failed?")
    if not body:
        raise DataError(f"{path} is empty: it has a header ({', '.join(names)}) and no rows.")
    ragged = [(number, len(fields)) for number, fields in body if len(fields) != len(names)]
    if ragged:
        shown = ", ".join(f"line {number:,} has {count}" for number, count in ragged[:3])
        raise DataError(
            f"{path}: the header has {len(names)} columns, but {len(ragged):,} of {len(body):,} "
            f"rows have another number of fields ({shown}). Put fields that hold a "
            f"{_NAMES[delimiter]} in double quotes."
        )
    keep = [place for place, name in enumerate(names) if name in column_names]
    twice = sorted({names[place] for place in keep if names.count(names[place]) > 1})
    if twice:
        raise DataError(
            f"{path} has {names.count(twice[0])} columns called {twice[0]!r}: rename all but one."
        )
    blank = len(lines) - len(filled)
    return Table(
        source=str(path),
        names=tuple(names),
        columns={names[place]: [fields[place] for _, fields in body] for place in keep},
        rows=len(body),
        typed=False,
        notes=(f"{blank:,} blank line{'' if blank == 1 else 's'} skipped",) if blank else (),
        hint=hint_of(names, delimiter),
    )


def hint_of(names: Sequence[str], delimiter: str) -> str:
    """Return the advice for a column that is missing from a header."""
    other = next((mark for mark in ";\t|," if mark != delimiter and mark in names[0]), None)
    if len(names) == 1 and other is not None:
        return f" The header looks separated by {other!r} instead of {delimiter!r}."
    return " Does the file have a header line?"


def _jsonl(path: Path, column_names: Collection[str]) -> Table:
    rows: list[dict[str, Any]] = []
    # Not splitlines(): JSON strings may hold U+2028 and its like unescaped.
    lines = _decoded(path).replace("\r\n", "\n").split("\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(
                f"{path}, line {number:,} is not JSON: {error}. Every line must be one object."
            ) from error
        if not isinstance(row, dict):
            raise DataError(
                f"{path}, line {number:,} is not a JSON object but a {type(row).__name__}: every "
                'line must look like {"text": ..., "label": ...}.'
            )
        rows.append(row)
    if not rows:
        raise DataError(f"{path} is empty: it holds blank lines only.")
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    return Table(
        source=str(path),
        names=names,
        # A key that a row lacks is a missing value; the reader of the columns counts those.
        columns={name: [row.get(name) for row in rows] for name in names if name in column_names},
        rows=len(rows),
        typed=True,
    )


def _parquet(path: Path, column_names: Collection[str]) -> Table:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            names = tuple(file.schema_arrow.names)
            keep = [name for name in names if name in column_names]
            table = file.read(columns=list(dict.fromkeys(keep)))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} is not a readable Parquet file: {error}") from error
    twice = sorted({name for name in keep if keep.count(name) > 1})
    if twice:
        raise DataError(f"{path} has {keep.count(twice[0])} columns called {twice[0]!r}.")
    if not table.num_rows and keep:
        raise DataError(f"{path} is empty: it has columns ({', '.join(names)}) and no rows.")
    return Table(
        source=str(path),
        names=names,
        columns={name: table[name].to_pylist() for name in keep},
        rows=table.num_rows,
        typed=True,
    )


READERS: Mapping[str, Callable[[Path, Collection[str]], Table]] = {
    ".csv": _csv,
    ".tsv": _tsv,
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".parquet": _parquet,
}
