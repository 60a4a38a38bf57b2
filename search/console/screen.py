"""A console without markup, control characters or cut numbers."""

from __future__ import annotations

import contextlib
import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from search.formatting import printable

_NARROW = 100  # columns below which intervals and spread give way
_LEAST_LABEL = 16
_FILE_WIDTH = 140


class Screen(Console):
    """A console that escapes control characters and knows no markup."""

    def render_str(self, text: str, **settings: Any) -> Text:
        """The text without markup, its control characters escaped."""
        options = {
            name: settings[name] for name in ("style", "justify", "overflow") if name in settings
        }
        return Text("\n".join(map(printable, text.split("\n"))), **options)

    def on_broken_pipe(self) -> None:
        """Let the command decide; rich would end the process on the spot."""
        raise BrokenPipeError


class _Forgiving(io.TextIOBase):
    """A stream that outlives its reader: progress output never ends a sweep."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def isatty(self) -> bool:
        with contextlib.suppress(ValueError):
            return self._stream.isatty()
        return False

    def fileno(self) -> int:
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding


def screen_of(stream: TextIO | None, forgiving: bool = False) -> Screen:
    """A console for a stream; it folds tables on terminals only.

    Args:
        stream: Stream to write to; None, as in a process without streams, writes nowhere.
        forgiving: Pass over a stream that can be written to no more.
    """
    file: Any = io.StringIO() if stream is None else _Forgiving(stream) if forgiving else stream
    width = None if file.isatty() else _FILE_WIDTH
    return Screen(file=file, width=width, highlight=False, emoji=False)


@dataclass(frozen=True)
class Column:
    """A column of numbers beside a label.

    Attributes:
        name: Its head.
        values: By row.
        giving: Order in which columns give way on a narrow screen, the highest first; 0 stays.
        wide_only: Left out below 100 columns.
        left: Words rather than numbers.
    """

    name: str
    values: Sequence[str]
    giving: int = 0
    wide_only: bool = False
    left: bool = False

    @property
    def width(self) -> int:
        """Characters of its widest value."""
        return max(map(len, (self.name, *self.values)))


def fitted(labels: Sequence[str], columns: Sequence[Column], width: int) -> list[Column]:
    """Columns that leave labels two lines of 16 characters or more.

    Args:
        labels: Labels of the rows, folded between words.
        columns: Beside them.
        width: Width of the screen, in characters.
    """
    fitting = [column for column in columns if width >= _NARROW or not column.wide_only]
    room = max(_LEAST_LABEL, *(_two_lines(label) for label in set(labels)), 0)
    while _taken(fitting, width) + room > width:
        most = max((column.giving for column in fitting), default=0)
        if not most:
            break
        fitting = [column for column in fitting if column.giving != most]
    return fitting


def _two_lines(label: str) -> int:
    """Least width at which a label folds into two lines."""
    words = label.split(" ")
    whole = len(label)
    halves = [len(" ".join(words[:cut])) for cut in range(1, len(words))]
    return min((max(half, whole - half - 1) for half in halves), default=whole)


def _gap(width: int) -> int:
    """Characters between two columns."""
    return 2 if width >= _NARROW else 1


def _taken(columns: Sequence[Column], width: int) -> int:
    """Characters that columns take, the gaps beside them included."""
    return sum(column.width + _gap(width) for column in columns)


def label_table(
    head: str, labels: Sequence[str], columns: Sequence[Column], width: int, **settings: Any
) -> Table:
    """Table of folded labels and the columns that fit beside them.

    Args:
        head: Head of the labels' column.
        labels: By row.
        columns: In order; those before the labels have `left` unset and the name "#".
        width: Width of the screen, in characters.
        settings: Options of the table.
    """
    shown = fitted(labels, columns, width)
    room = max(width - _taken(shown, width), 1)
    table = Table(
        box=None,
        pad_edge=False,
        padding=(0, _gap(width), 0, 0),
        collapse_padding=True,
        header_style="bold",
        **settings,
    )
    before = [column for column in shown if column.name == "#"]
    after = [column for column in shown if column.name != "#"]
    for column in before:
        table.add_column(column.name, justify="right", no_wrap=True)
    table.add_column(head, no_wrap=True, overflow="fold")
    for column in after:
        table.add_column(column.name, justify="left" if column.left else "right", no_wrap=True)
    for row, label in enumerate(labels):
        lines = textwrap.wrap(label, room, break_on_hyphens=False) or [""]
        table.add_row(
            *(column.values[row] for column in before),
            "\n".join(lines),
            *(column.values[row] for column in after),
        )
    return table


def apart(labels: Sequence[str], width: int) -> list[str]:
    """Fit labels into lines, each keeping what sets it apart.

    Where one is too long, all lose the words that all share; what is still too long loses words of
    its middle.

    Args:
        labels: Labels of words with a blank between them.
        width: Most characters of a line.
    """
    if all(len(label) <= width for label in labels):
        return list(labels)
    words = [label.split() for label in labels]
    common = set(words[0]).intersection(*words[1:]) if len(words) > 1 else set()
    own = [" ".join(word for word in parts if word not in common) for parts in words]
    return [without_middle(short or label, width) for short, label in zip(own, labels, strict=True)]


def without_middle(text: str, width: int) -> str:
    """Cut whole words out of the middle of a text."""
    if len(text) <= width:
        return text
    words = text.split(" ")
    head: list[str] = []
    tail: list[str] = []
    left = width - 1
    while words:
        side = head if len(head) <= len(tail) else tail
        word = words.pop(0 if side is head else -1)
        left -= len(word) + 1
        if left < 0:
            break
        side.append(word)
    return " ".join([*head, "\N{HORIZONTAL ELLIPSIS}", *reversed(tail)])[: max(width, 0)]
