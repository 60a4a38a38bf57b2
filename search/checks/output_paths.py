"""Files and folders to write, checked before any work is done."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from search.checks import Word
from search.formatting import brief


class OutputFile(Word):
    """Check of a file to write; its folder must be there.

    Args:
        *endings: Endings that it may have, which say how it is written; none for any.
        pipes: True if a pipe or a device will do, whatever its ending.
    """

    def __init__(self, *endings: str, pipes: bool = False) -> None:
        self._endings: Sequence[str] = endings
        self._pipes = pipes

    def fault(self, value: Path | str) -> str | None:
        """Fault, as the end of a sentence; None without one."""
        path = Path(value)
        try:
            fault = self._fault(path, _shown(value))
            if fault is None and not _is_pipe(path):
                _try(path.parent, "" if path.exists() else path.name)
        except (OSError, ValueError) as error:
            return _unwritable(_shown(value), error)
        return fault

    def _fault(self, path: Path, shown: str) -> str | None:
        if path.is_dir():
            return f"must be a file, {shown} is a folder"
        if _is_pipe(path):
            return None if self._pipes else f"must be a plain file, {shown} is none"
        if self._endings and path.suffix.lower() not in self._endings:
            return f"must end in {' or '.join(self._endings)}, got {shown}"
        if not path.parent.is_dir():
            return f"must lie in a folder: there is no folder {_shown(path.parent)}"
        if path.exists() and not os.access(path, os.W_OK):
            return f"must be writable, {shown} is write-protected"
        return None


class OutputFolder(Word):
    """Check of a folder to write into, there or not."""

    def fault(self, value: Path | str) -> str | None:
        """Fault, as the end of a sentence; None without one."""
        try:
            there = path = Path(value).absolute()
            while not there.exists() and not there.is_symlink():
                there = there.parent
            if not there.is_dir():
                return f"must be a folder, {_shown(value if there == path else there)} is none"
            # The longest of the missing names may be too long for the disk: it is tried.
            _try(there, max(path.relative_to(there).parts, key=len, default=""))
        except (OSError, ValueError) as error:
            return _unwritable(_shown(value), error)
        return None


def _is_pipe(path: Path) -> bool:
    """True for a pipe, a terminal or another device."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _try(folder: Path, name: str) -> None:
    """Write into a folder: permissions do not tell of a read-only disk."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".foldrace-") as made:
        if name:
            Path(made, name).mkdir()


def _unwritable(shown: str, error: Exception) -> str:
    why = getattr(error, "strerror", None) or str(error)
    return f"must be writable, {shown} is not: {why}"


def _shown(path: Path | str) -> str:
    return brief(repr(str(path)))


OUTPUT_FOLDER = OutputFolder()
OUTPUT_TOML = OutputFile(".toml")
OUTPUT_SVG = OutputFile(".svg")
