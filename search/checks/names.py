"""Names that a user gives: of sweeps, experiments and registered models."""

from __future__ import annotations

from dataclasses import dataclass

from search.checks import Word
from search.formatting import printable, shortened

_MOST_CHARACTERS = 100
_MOST_BYTES = 200  # files are called after sweeps, and a file's name has 255
_MEAN_SOMETHING = (".", "..", "latest")


@dataclass(frozen=True)
class Name(Word):
    """Check of a name.

    Attributes:
        without: Characters that it must not hold.
    """

    without: str = "/"

    def fault(self, value: str) -> str | None:
        """Fault, as the end of a sentence; None without one."""
        barred = " and ".join(repr(character) for character in self.without)
        if value in _MEAN_SOMETHING:
            return f"must not be {value!r}, which means something else; give it a name of its own"
        if (
            0 < len(value) <= _MOST_CHARACTERS
            and len(value.encode(errors="replace")) <= _MOST_BYTES
            and value == value.strip() == printable(value)
            and not value.startswith("-")
            and not set(self.without) & set(value)
        ):
            return None
        return (
            f"must be 1 to {_MOST_CHARACTERS} printable characters ({_MOST_BYTES} bytes) without "
            f"{barred}, without blanks at its ends and without '-' at its start, got "
            f"{shortened(repr(value), 60)}"
        )


class Readable(Word):
    """Check of a value of any kind."""

    def fault(self, value: str) -> str | None:
        """Fault, as the end of a sentence; None without one."""
        if not value.strip():
            return "must not be blank: give a value, or leave it out"
        if "\0" in value:
            return "must not hold the character NUL"
        if value != value.encode(errors="replace").decode():
            return "must be UTF-8, and holds bytes that are none"
        return None


READABLE = Readable()
NAME = Name()
"""A sweep or an experiment."""

MODEL_NAME = Name(without="/:")
"""A registered model: MLflow's addresses take ':' and '/' apart."""


def name_of(text: str) -> str:
    """Name nearest to a text, where nobody typed one."""
    plain = "".join(c if printable(c) == c and c != "/" else "_" for c in text)
    while len(plain) > _MOST_CHARACTERS or len(plain.encode()) > _MOST_BYTES:
        plain = plain[:-1]
    return plain.strip().lstrip("-") or "sweep"
