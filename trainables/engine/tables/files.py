"""Readers of single files, chosen by ending, checked by bytes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path

from trainables.engine.errors import DataError
from trainables.engine.file_kind import FileKind, kind_of
from trainables.engine.tables.columnar import read_arrow, read_parquet
from trainables.engine.tables.delimited import read_delimited
from trainables.engine.tables.json_rows import read_json, read_json_lines
from trainables.engine.tables.table import Table
from trainables.engine.tables.text_file import read_text

_Wanted = Collection[str] | None

_OF_TEXT: Mapping[str, Callable[[Path, str, _Wanted, Collection[str]], Table]] = {
    ".csv": partial(read_delimited, ","),
    ".tsv": partial(read_delimited, "\t"),
    ".jsonl": lambda path, text, wanted, _: read_json_lines(path, text, wanted),
    ".ndjson": lambda path, text, wanted, _: read_json_lines(path, text, wanted),
    ".json": lambda path, text, wanted, _: read_json(path, text, wanted),
}
_OF_BYTES: Mapping[str, Callable[[Path, _Wanted], Table]] = {
    ".parquet": read_parquet,
    ".arrow": read_arrow,
    ".feather": read_arrow,
}
ENDINGS = (*_OF_TEXT, *_OF_BYTES)
"""Endings of files that are tables; those of text may have .gz after them."""


def ending_of(path: Path) -> str:
    """Return the ending that a reader is chosen by."""
    plain = path.suffix.lower()
    if plain != ".gz":
        return plain
    inner = path.with_suffix("").suffix.lower()
    return inner + plain if inner else plain


def is_table(path: Path) -> bool:
    """Return True for a file whose name ends as a table's does."""
    ending = ending_of(path)
    return ending in ENDINGS or ending.removesuffix(".gz") in _OF_TEXT


def read_file(
    path: Path, column_names: Collection[str] | None, known: Collection[str] = ()
) -> Table:
    """Read some columns of one file.

    Args:
        path: Path of a table: its name ends as `ENDINGS` say, those of text also with .gz.
        column_names: Names of the columns to keep; names that the file lacks are left out. None
            keeps all; names that stand there twice, or are blank, then get a number.
        known: Further names by which a header is told from a title above it.

    Raises:
        DataError: if the file is missing, empty, of another kind, not UTF-8, or damaged; the
            message names the line.
    """
    read = reader_of(path, known)
    try:
        return read(column_names)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}.") from error


def reader_of(path: Path, known: Collection[str] = ()) -> Callable[[_Wanted], Table]:
    """Return the reader of a file.

    Args:
        path: Path of the file.
        known: See `read_file`.

    Raises:
        DataError: if the file is missing, empty or of another kind.
    """
    ending = ending_of(path)
    if not is_table(path) and (path.suffix or path.is_file()):
        raise DataError(_wrong_ending(path, ending))
    if not path.is_file():
        raise DataError(f"There is no file {path}.{_neighbours(path)}")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty.")
    if ending in _OF_BYTES:
        return partial(_OF_BYTES[ending], path)
    parse = _OF_TEXT[ending.removesuffix(".gz")]
    return lambda wanted: parse(path, read_text(path), wanted, {*known, *(wanted or ())})


def _wrong_ending(path: Path, ending: str) -> str:
    kind = kind_of(path) if path.is_file() else FileKind.TEXT
    if kind is FileKind.EMPTY:
        return f"{path} is empty."
    what = "" if kind is FileKind.TEXT else f" It is {kind.phrase}: {kind.advice}."
    return (
        f"{path} has the ending {ending or '(none)'!r}; readable are {', '.join(ENDINGS)}, and "
        f".gz after those of text: save the table as one of these.{what}"
    )


def _neighbours(path: Path) -> str:
    if not path.parent.is_dir():
        return f" There is no folder {path.parent} either."
    files = sorted(entry.name for entry in path.parent.iterdir() if is_table(entry))
    if not files:
        return ""
    more = f" and {len(files) - 8} more" if len(files) > 8 else ""
    return f" The folder has {', '.join(files[:8])}{more}."
