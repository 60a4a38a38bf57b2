"""Header and rows of cut lines: titles above the header, blank ends."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

Line = tuple[int, list[str]]
"""Number of a row's first line, and its fields."""

_MOST_TITLES = 5


@dataclass(frozen=True)
class Layout:
    """Names and rows, all of one length.

    Attributes:
        names: Names of the columns.
        body: Rows as (line number, fields) pairs.
        notes: Remarks for the audit.
    """

    names: tuple[str, ...]
    body: Sequence[Line]
    notes: tuple[str, ...] = ()


def layout_of(lines: Sequence[Line], known: Collection[str]) -> Layout | None:
    """Return header and rows, if these agree and are there.

    Args:
        lines: Lines, cut into fields.
        known: Names that the header may hold, by which it is told from a title above it.
    """
    filled = filled_lines(lines)
    blank = len(lines) - len(filled)
    notes = (f"{blank:,} blank line{'' if blank == 1 else 's'} skipped",) if blank else ()
    for above in _tries(filled, known):
        layout = _fitted(filled[above:], notes)
        if layout is not None and above:
            words = " ".join(filled[0][1]).strip()[:60]
            number = filled[above][0]
            note = f"the header is line {number:,}; skipped above it: {words!r}"
            return Layout(layout.names, layout.body, (note, *layout.notes))
        if layout is not None:
            return layout
    return None


def filled_lines(lines: Sequence[Line]) -> list[Line]:
    """Return the lines with a field that is not blank.

    A line of separators only is what spreadsheets leave behind: as blank as an empty line.
    """
    return [(number, fields) for number, fields in lines if any(f.strip() for f in fields)]


def _tries(filled: Sequence[Line], known: Collection[str]) -> tuple[int, ...]:
    """Return numbers of lines above the header, the likeliest first.

    The header is the first line with a known name. Where no line has one, comments may stand above
    a header that fits the rows.
    """
    for above, (_, fields) in enumerate(filled[:_MOST_TITLES]):
        if {field.strip() for field in fields} & set(known):
            return (above, 0) if above else (0,)
    comments = 0
    for _, fields in filled[:_MOST_TITLES]:
        if not fields[0].lstrip().startswith("#"):
            break
        comments += 1
    return (0, comments) if comments else (0,)


def _fitted(filled: Sequence[Line], notes: tuple[str, ...]) -> Layout | None:
    """Return the layout if all rows are as long as the header.

    Blank fields after the last column count for nothing.
    """
    if len(filled) < 2:
        return None
    names = [name.strip() for name in filled[0][1]]
    body = filled[1:]
    named = len(names)
    while not names[named - 1]:
        named -= 1
    even = all(len(fields) == len(names) for _, fields in body)
    trailing = all(
        len(fields) >= named and not any(field.strip() for field in fields[named:])
        for _, fields in body
    )
    if trailing and (not even or named < len(names)):
        cut = [(number, fields[:named]) for number, fields in body]
        return Layout(
            tuple(names[:named]), cut, (*notes, "blank fields after the last column left out")
        )
    return Layout(tuple(names), body, notes) if even else None
