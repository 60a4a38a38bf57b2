"""Numbers, times and foreign text as a person reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Joiners of letters and wide blanks: words of many languages need them.
_HARMLESS = "\u00a0\u200c\u200d\u3000"
_LONG_WORD = re.compile(r"\S{400,}")
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def points(value: float | None, sign: bool = False) -> str:
    """A fraction in points (per cent)."""
    if value is None:
        return "-"
    return f"{100 * value:+.2f}" if sign else f"{100 * value:.2f}"


_UNITS = {
    "loss": "nat",
    "entropy": "bit",
    "seconds": "second",
    "peak_memory_mib": "MiB",
    "parameters": "parameter",
    **dict.fromkeys(("rmse", "mae", "median_absolute_error"), "unit of the target"),
}


def unit(metric: str) -> str:
    """Unit of a metric: points, or hundredths of its own."""
    own = _UNITS.get(metric)
    return "points" if own is None else f"hundredths of a {own}"


def measured(metric: str, value: float | None) -> str:
    """A metric's value: points, but for those of the machine."""
    if value is None:
        return "-"
    if metric == "parameters":
        return f"{value:,.0f}"
    return f"{value:,.1f}" if metric in ("seconds", "peak_memory_mib") else points(value)


def duration(seconds: float) -> str:
    """Format seconds for people: 45 s, 12 min, 3.5 h, 4.2 days."""
    if 0 < seconds < 1:
        return "under 1 s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"


def hundredths(value: float) -> str:
    """A number with two places, or words if it is smaller."""
    return "under 0.01" if 0 < value < 0.01 else f"{value:,.2f}"


def between(low: float, high: float) -> str:
    """Format a span of seconds, its unit once: 11 to 14 min."""
    first, last = duration(low), duration(high)
    if first == last:
        return last
    number, unit = first.split(" ", 1)
    return f"{number if last.endswith(f' {unit}') else first} to {last}"


def counted(many: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun: 1 config, 2,940 configs."""
    return f"{many:,} {noun if many == 1 else plural or f'{noun}s'}"


def scalar(value: object) -> str:
    """A hyper-parameter's value: as short as its float allows."""
    if isinstance(value, float) and float(short := f"{value:g}") == value:
        return short
    return str(value)


def printable(text: str) -> str:
    r"""Escape control characters as in \x1b, so no terminal obeys them."""
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable() or character in _HARMLESS
        else character.encode("unicode_escape").decode()
        for character in text
    )


def fitted_line(text: str, width: int) -> str:
    """Cut text to a line's width between words, never within numbers."""
    if len(text) <= width:
        return text
    head = text[: max(width - 1, 0)]
    return f"{head[: head.rindex(' ')] if ' ' in head else ''} {_ELLIPSIS}"[: max(width, 0)]


def shortened(text: str, most: int) -> str:
    """Cut text to a length, with an ellipsis."""
    return text if len(text) <= most else text[: max(most - 1, 0)] + _ELLIPSIS


def brief(line: str) -> str:
    """Cut words of a line that nobody reads to their end."""
    return _LONG_WORD.sub(lambda word: f"{word[0][:120]}{_ELLIPSIS}{word[0][-40:]}", line)


def off_grid(values: Mapping[str, str]) -> str:
    """Sentence on the values that a space has not itself, by parameter."""
    named = "; ".join(f"{printable(name)} {printable(value)}" for name, value in values.items())
    return f"Off the paper's grid: {named}."
