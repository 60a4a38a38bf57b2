"""Columns of a file that a finished sweep is to classify."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from search.errors import InputError
from trainables.engine import registry
from trainables.engine.contract import DataRef
from trainables.engine.datasets.column_roles import Columns, card_of, columns_like, forms_of
from trainables.engine.tables.files import ENDINGS
from trainables.engine.tables.headers import read_header
from trainables.engine.tables.read import is_table, read_table
from trainables.engine.tables.table import Table, listed


def columns_of(
    ref: DataRef,
    names: Sequence[str],
    pairs: bool | None,
    column: str | None = None,
    column_b: str | None = None,
) -> Columns:
    """Columns of a file by role: the user's, else the sweep's.

    Args:
        ref: The sweep's data.
        names: Names of the file's columns.
        pairs: True if rows are pairs of texts; None if that is not known yet.
        column: Column of the text, as the user gave it.
        column_b: Column of the second text.
    """
    given = replace(ref, text=column or ref.text, text_b=column_b or ref.text_b)
    return columns_like(given, names, card_of(ref.name), pairs)


def likely_columns(ref: DataRef, column: str | None, column_b: str | None) -> set[str]:
    """Names that a file's columns of texts may have; see `columns_of`."""
    given = replace(ref, text=column or ref.text, text_b=column_b or ref.text_b)
    forms = forms_of(given, card_of(ref.name))
    return {name for form in forms for name in (form.text, form.text_b) if name}


def check_file(
    path: Path,
    ref: DataRef,
    column: str | None = None,
    column_b: str | None = None,
    label: str | None = None,
) -> None:
    """Refuse a missing table, or one without its columns.

    Reads no more than the header where that can tell. A file of another kind is passed: it may be
    a text.

    Args:
        path: The file.
        ref: The sweep's data.
        column: Column of the text, as the user gave it.
        column_b: Column of the second text.
        label: Column of the label, as the user gave it.

    Raises:
        InputError: naming the column, and those that the file has.
    """
    if not path.exists():
        raise InputError(f"There is no file {path}.")
    if not is_table(path):
        if column or column_b or label:
            raise InputError(
                f"{path} is no table ({' '.join(ENDINGS)}), so it has no column "
                f"{column or column_b or label!r}: leave --text out, or give a table."
            )
        return
    wanted = likely_columns(ref, column, column_b)
    header = read_header(path, wanted)
    names = read_table(path, wanted).names if header is None else header.names
    columns = columns_of(ref, names, None, column, column_b)
    _must_have(path, names, "--text", columns.text)
    _must_have(path, names, "--text-b", columns.text_b)
    _must_have(path, names, "--label", label)


@dataclass(frozen=True, eq=False)
class WholeTable:
    """All columns of a file.

    Attributes:
        path: The file.
        table: Its columns; of those with one name, all but the first have got a number.
        twice: Names that several columns have.
    """

    path: Path
    table: Table
    twice: tuple[str, ...]

    @classmethod
    def read(cls, path: Path, wanted: Collection[str]) -> WholeTable:
        """Read a file.

        Args:
            path: The file.
            wanted: Names of columns, by which a header is told from a title above it.

        Raises:
            InputError: if it cannot be read, or has two columns of a wanted name.
        """
        names = read_table(path, wanted).names
        twice = tuple(name for name, times in Counter(names).items() if times > 1)
        return cls(path, read_table(path, None, wanted), twice)

    def check(self, option: str, name: str | None) -> None:
        """Refuse a file without an option's column, or with two.

        Raises:
            InputError: naming the column, and those that the file has.
        """
        if name in self.twice:
            raise InputError(
                f"{self.path} has several columns called {name!r}: rename all but one."
            )
        _must_have(self.path, self.table.names, option, name)


def _must_have(path: Path, names: Sequence[str], option: str, name: str | None) -> None:
    """Refuse a file without a column, which an option chooses."""
    if name is not None and name not in names:
        raise InputError(
            f"{path} has no column {name!r}.{registry.hint(name, names)} Its columns: "
            f"{listed(names)}. Choose one with {option}."
        )
