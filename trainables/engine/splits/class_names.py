"""Class names that may be one class, spelled in two ways."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_JOINT = re.compile(r"(?<=[^\W_])[\s_\-\u2010-\u2015]+(?=[^\W_])")
_LONGEST_SHOWN = 60


def alike(names: Iterable[str]) -> list[list[str]]:
    """Return groups of names that differ in spelling alone.

    Spelling is capitals, blanks, hyphens and underscores between words, invisible characters, and a
    comma or point at the end. Any other sign makes another name: C, C++ and C# are three. Numbers
    are alike if they are equal: 1, 01 and 1.0, but not -1.
    """
    groups: dict[str | float, list[str]] = {}
    for name in names:
        groups.setdefault(_spelt(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def shown(name: str) -> str:
    """Return a name for a line of text, cut if long."""
    return name if len(name) <= _LONGEST_SHOWN else f"{name[: _LONGEST_SHOWN - 3]}..."


def _spelt(name: str) -> str | float:
    """Return what is left of a name without its spelling."""
    if _NUMBER.fullmatch(name.strip()):
        return float(name)
    visible = "".join(
        character
        for character in unicodedata.normalize("NFKC", name).casefold()
        if unicodedata.category(character) != "Cf"
    )
    return _JOINT.sub(_joined, visible).strip(" \t\r\n_").rstrip(".,;:") or name


def _joined(joint: re.Match[str]) -> str:
    """Keep what stands between two digits: 1-2 is not 12."""
    before, after = joint.string[joint.start() - 1], joint.string[joint.end()]
    return joint[0] if before.isdigit() and after.isdigit() else ""
