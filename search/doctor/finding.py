"""One thing that was looked at, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["fault", "note", "ok"]
Subject = Literal["versions", "machine", "folders", "ledger", "spool", "cache", "ray"]

_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the page.

    Attributes:
        level: "fault" where something is damaged or blocked, or waits for somebody to act; "note"
            for what foldrace mends by itself, or one should know; "ok" else.
        subject: Part of the surroundings that was looked at.
        thing: Name of what was looked at.
        found: State that it is in.
        todo: Step to take; None where there is none, or `found` says it.
    """

    level: Level
    subject: Subject
    thing: str
    found: str
    todo: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The finding as an entry of the document."""
        return asdict(self)


def named(names: Sequence[str]) -> str:
    """The first few names, and the number of the rest."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def size(count: float) -> str:
    """A number of bytes for people: 12 KiB, 3.4 GiB."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:,.1f} GiB"
