"""CSV and TSV as columns: the form that all rows agree with.

Python's csv module is used instead of pandas: ids such as 007, the text "NA" and ragged rows come
through as they stand in the file, or with the number of their line.
"""

from __future__ import annotations

import csv
import io
import re
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trainables.engine.errors import DataError
from trainables.engine.tables.layout import Layout, Line, filled_lines, layout_of
from trainables.engine.tables.table import Table, kept_places, listed

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
# Excel's own first line, which names the separator of the rest.
_SEPARATOR_LINE = re.compile(r'\s*"?sep=(.)"?[ \t]*\r?(?:\n|$)', re.IGNORECASE)
_BLANK_BEFORE_QUOTE = re.compile(r'(?:^|[,;\t|]) +"', re.MULTILINE)


@dataclass(frozen=True)
class _Dialect:
    """A way to cut lines into fields."""

    separator: str
    quote: str = '"'
    skip_blanks: bool = False


@dataclass(frozen=True)
class _Source:
    """Text of a file, and the way to read it."""

    path: Path
    text: str
    own: str
    known: Collection[str]
    skipped: int = 0


def read_delimited(
    own: str, path: Path, text: str, wanted: Collection[str] | None, known: Collection[str]
) -> Table:
    """Return the columns of separated values.

    Args:
        own: Separator that goes with the file's ending, tried first.
        path: Path of the file, for messages.
        text: Its text.
        wanted: Names of the columns to keep; None for all.
        known: Names that the header may hold, by which it is told from a title above it.

    Raises:
        DataError: if no header fits the rows, or a quote is never closed; the message names lines.
    """
    source, notes = _Source(path, text, own, known), []
    named = _SEPARATOR_LINE.match(text)
    if named is not None:
        source = replace(source, text=text[named.end() :], own=named[1], skipped=1)
        notes.append(f"line 1 names the separator: {_words(named[1])}")
    if not source.text.strip():
        raise DataError(f"{path} is empty: it holds blank lines only.")
    layout, dialect = _agreed(source, only=named is not None)
    if dialect.separator not in (own, source.own):
        notes.append(f"read as separated by {_words(dialect.separator)}s")
    if dialect.skip_blanks:
        notes.append("blanks between a separator and a quote are left out")
    if dialect.quote == "'":
        notes.append("single quotes taken as the quotes of fields")
    names, keep = kept_places(str(path), layout.names, wanted)
    columns = {name: [fields[at] for _, fields in layout.body] for name, at in keep.items()}
    return Table(
        source=str(path),
        names=names,
        columns=columns,
        rows=len(layout.body),
        typed=False,
        notes=(*notes, *layout.notes, *_wrapped(columns)),
        hint=hint_of(names, dialect.separator),
        lines=[number for number, _ in layout.body],
    )


def _words(separator: str) -> str:
    return SEPARATORS.get(separator, repr(separator))


def _wrapped(columns: dict[str, list[str]]) -> Iterator[str]:
    """Return remarks on columns whose every value stands in single quotes."""
    for name, values in columns.items():
        if all(len(value) > 1 and value[0] == value[-1] == "'" for value in values):
            yield (
                f"every value of column {name!r} stands in single quotes, which are taken as part "
                "of it: double quotes would not be"
            )


def _agreed(source: _Source, only: bool) -> tuple[Layout, _Dialect]:
    """Return the layout of the first dialect that all rows agree with.

    Raises:
        DataError: if they agree with none.
    """
    marks = [source.own, *(mark for mark in ";,\t|" if mark != source.own and not only)]
    head = source.text[:100_000]
    marks = [mark for mark in marks if mark in head]
    spaced = _BLANK_BEFORE_QUOTE.search(source.text) is not None
    single: Layout | None = None
    for quote in ('"', "'"):
        if quote == "'" and "'" not in source.text:
            continue
        for mark in marks:
            dialect = _Dialect(mark, quote)
            layout = _layout(source, dialect)
            if spaced and quote == '"' and (layout is None or _keeps_quotes(layout)):
                loose = replace(dialect, skip_blanks=True)
                better = _layout(source, loose)
                layout, dialect = (better, loose) if better is not None else (layout, dialect)
            if layout is not None and len(layout.names) > 1:
                tight = replace(dialect, quote="'")
                better = _layout(source, tight) if _in_single_quotes(layout.names) else None
                return (better, tight) if better is not None else (layout, dialect)
            single = single or layout
    own = _Dialect(source.own)
    single = single or _layout(source, own)
    if single is None:
        raise _disagreement(source, marks or [source.own])
    return single, own


def _keeps_quotes(layout: Layout) -> bool:
    """Return True if a field is quoted after leading blanks."""
    rows = ([*layout.names], *(fields for _, fields in layout.body))
    return any(
        field[0] == " " and field[-1:] == '"' and field.lstrip()[:1] == '"'
        for fields in rows
        for field in fields
        if field
    )


def _in_single_quotes(names: Sequence[str]) -> bool:
    return all(len(name) > 2 and name[0] == name[-1] == "'" for name in names)


def _layout(source: _Source, dialect: _Dialect) -> Layout | None:
    """Return the layout under a dialect, if rows fit it."""
    try:
        lines = _lines(source, dialect)
    except DataError:
        return None
    return layout_of(lines, source.known)


def _lines(source: _Source, dialect: _Dialect) -> list[Line]:
    """Return the lines under a dialect, each with its number.

    Raises:
        DataError: for a quote that is never closed, or text after a closing quote.
    """
    if dialect.separator != "\t" or dialect.quote != '"':
        return _quoted(source, dialect)
    return _tabbed(source, dialect)


def _tabbed(source: _Source, dialect: _Dialect) -> list[Line]:
    """Return tab-separated lines, with or without quoting.

    The file itself decides. In one dialect a quote is an ordinary character (GLUE, LIAR), in the
    other it wraps fields that hold tabs or line breaks (spreadsheets). A field broken over lines
    makes the plain reading ragged. So where the plain reading fits and has more rows, quotes are
    ordinary characters.
    """
    text = source.text.replace("\r\n", "\n").removesuffix("\n")
    plain = [
        (number, line.split("\t") if line else [])
        for number, line in enumerate(text.split("\n"), 1 + source.skipped)
    ]
    if '"' not in text:
        return plain
    fits = len({len(fields) for _, fields in plain if fields}) == 1
    try:
        quoted = _quoted(source, dialect)
    except DataError:
        if not fits:
            raise
        return plain
    same = sum(1 for _, f in plain if f) == sum(1 for _, f in quoted if f)
    return plain if fits and not same else quoted


def _quoted(source: _Source, dialect: _Dialect) -> list[Line]:
    """Return lines whose quotes are understood.

    Raises:
        DataError: for a quote that is never closed, or text after a closing quote.
    """
    limit = csv.field_size_limit(sys.maxsize)
    reader = csv.reader(
        io.StringIO(source.text, newline=""),
        delimiter=dialect.separator,
        quotechar=dialect.quote,
        skipinitialspace=dialect.skip_blanks,
        strict=True,
    )
    rows: list[Line] = []
    begins = 1 + source.skipped
    try:
        for fields in reader:
            rows.append((begins, fields))
            begins = reader.line_num + 1 + source.skipped
    except csv.Error as error:
        raise DataError(
            f"{source.path}, line {begins:,}: {_escaped(error)}. A quote opens a field there and "
            "is not closed before the next delimiter; one inside a quoted field is written twice."
        ) from error
    finally:
        csv.field_size_limit(limit)
    return rows


def _escaped(error: Exception) -> str:
    """Return an error's words with tabs escaped."""
    return str(error).encode("unicode_escape").decode()


def _disagreement(source: _Source, marks: Sequence[str]) -> DataError:
    """Return the error of rows that agree on no separator."""
    read: dict[str, list[Line]] = {}
    for mark in marks:
        try:
            read[mark] = _lines(source, _Dialect(mark))
        except DataError as error:
            if mark == source.own:
                return error
    if not read:
        return DataError(f"{source.path}: its quotes fit no separator.")
    filled = {mark: filled_lines(lines) for mark, lines in read.items()}
    if not any(filled.values()):
        return DataError(f"{source.path} is empty: it holds blank lines only.")
    if all(len(rows) < 2 for rows in filled.values()):
        header = max((rows[0][1] for rows in filled.values() if rows), key=len)
        names = listed([name.strip() for name in header])
        return DataError(f"{source.path} is empty: it has a header ({names}) and no rows.")
    # The mark under which most rows have one number of fields, more than one.
    most = {
        mark: max((n for size, n in _sizes(rows).items() if size > 1), default=0)
        for mark, rows in filled.items()
    }
    mark = max(filled, key=lambda mark: most[mark])
    return _ragged(source.path, mark, filled[mark])


def _sizes(rows: Sequence[Line]) -> Counter[int]:
    return Counter(len(fields) for _, fields in rows[1:])


def _ragged(path: Path, mark: str, filled: Sequence[Line]) -> DataError:
    names, body = filled[0][1], filled[1:]
    ragged = [(number, len(fields)) for number, fields in body if len(fields) != len(names)]
    shown = ", ".join(f"line {number:,} has {count}" for number, count in ragged[:3])
    sizes = _sizes(filled)
    if len(sizes) == 1 and len(body) > 1:
        (size,) = sizes
        return DataError(
            f"{path}: all {len(body):,} rows have {size} fields, but the header (line "
            f"{filled[0][0]:,}) has {len(names)}: {listed(names)!r}. Write a header with "
            "a name for each field; lines above the header must go."
        )
    return DataError(
        f"{path}: the header has {len(names)} columns, but {len(ragged):,} of {len(body):,} rows "
        f"have another number of fields ({shown}). Put fields that hold a {_words(mark)} in double "
        "quotes."
    )


def hint_of(names: Sequence[str], separator: str) -> str:
    """Return the advice for a column that is missing from a header."""
    other = next((mark for mark in ";\t|," if mark != separator and mark in names[0]), None)
    if len(names) == 1 and other is not None:
        return f" The header looks separated by {other!r} instead of {separator!r}."
    return " Does the file have a header line?"
