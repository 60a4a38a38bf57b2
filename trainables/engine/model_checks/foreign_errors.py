"""Errors of other libraries, turned into our own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from trainables.engine.errors import FoldraceError, ModelError

_OURS = (FoldraceError, KeyboardInterrupt, SystemExit, MemoryError)
_MOST_CHARACTERS = 200


@contextmanager
def refused(found: str, advice: str) -> Iterator[None]:
    """Turn any error of a library into a ModelError.

    Args:
        found: Words in front of the error's own.
        advice: Words behind it: what to do.

    Raises:
        ModelError: for whatever is raised within.
    """
    try:
        yield
    except _OURS:
        raise
    except BaseException as error:  # a panic of tokenizers is no Exception
        raise ModelError(f"{found} ({in_one_line(error)}): {advice}") from error


def in_one_line(error: BaseException) -> str:
    """Return an error's message in one line, not too long."""
    return " ".join(str(error).split())[:_MOST_CHARACTERS] or type(error).__name__
