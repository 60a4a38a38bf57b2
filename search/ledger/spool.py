"""Results on disk until the ledger has them.

A folder per process, kept locked while the process lives. Later processes take over the files of
folders whose lock is free: their process is gone. A file's first line is the sha256 of the rest.
Folders and files are the user's alone. Standard library only.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import itertools
import json
import os
import secrets
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

_READY = ".json"
_PART = ".part"  # being written, or written and not yet renamed
_REFUSED = ".refused"  # MLflow would not have it, or it is damaged: told once, then left alone
_REFUSED_FOLDER = ".refused"


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Files of one process, as somebody who only looks finds them.

    Attributes:
        process: Id of the process.
        lives: True while it delivers them.
        files: Whole files.
        damaged: Files that do not fit their checksum, or cannot be read.
    """

    process: str
    lives: bool
    files: tuple[Path, ...]
    damaged: tuple[Path, ...]


class Spool:
    """JSON payloads in files, in the order in which they were put.

    Nothing is created on disk before the first `put` or before there is something to adopt.

    Args:
        folder: Folder shared by all processes that deliver to the same ledger.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own: Path | None = None
        self._lock: BinaryIO | None = None
        self._counter = itertools.count()

    @property
    def folder(self) -> Path:
        """Folder with a sub-folder for each process."""
        return self._folder

    def put(self, payload: Mapping[str, Any]) -> str:
        """Write a payload that survives a crash of process or machine.

        Returns:
            Name for `get` and `remove`; names sort in order of time.

        Raises:
            OSError: if the disk is full or not writable.
        """
        own = self._own_folder()
        name = f"{time.time_ns():020d}-{next(self._counter):06d}"
        part = own / (name + _PART)
        try:
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(_sealed(json.dumps(payload).encode()))
                file.flush()
                os.fsync(file.fileno())
            # The folder is not synced: should a power failure undo the renaming, `adopt` finds the
            # part whole. This halves the cost.
            part.replace(own / (name + _READY))
        except OSError:
            part.unlink(missing_ok=True)
            raise
        return name

    def get(self, name: str) -> dict[str, Any]:
        """Read a payload.

        Raises:
            KeyError: if there is none of that name.
            ValueError: if the file is damaged.
        """
        if self._own is None:
            raise KeyError(name)
        try:
            value = json.loads(_unsealed((self._own / (name + _READY)).read_bytes()))
        except FileNotFoundError:
            raise KeyError(name) from None
        if not isinstance(value, dict):
            raise ValueError(f"{name} holds a {type(value).__name__}, not an object.")
        return value

    def remove(self, name: str) -> None:
        """Delete a payload that has been delivered."""
        if self._own is not None:
            (self._own / (name + _READY)).unlink(missing_ok=True)

    def set_aside(self, name: str) -> Path:
        """Put a refused payload aside for good; returns its path.

        Raises:
            KeyError: if there is none of that name.
        """
        if self._own is None:
            raise KeyError(name)
        return self._refused(self._own / (name + _READY))

    def refused(self) -> list[Path]:
        """Payloads that were set aside, by this process or another."""
        return sorted((self._folder / _REFUSED_FOLDER).glob("*" + _REFUSED))

    def look(self) -> list[Waiting]:
        """Files of each process, without taking any over."""
        waiting = []
        for sibling in sorted(self._folder.glob("[!.]*")):
            if not sibling.is_dir():
                continue
            lives = _is_locked(sibling / "lock")
            names = (_READY,) if lives else (_READY, _PART)  # a living one's may be half-written
            there = sorted(path for name in names for path in sibling.glob("*" + name))
            sound = [path for path in there if _is_readable(path)]
            # A living process may have delivered one in between, and half of a file is of a process
            # that was killed before it promised anything.
            damaged = [
                path
                for path in there
                if path not in sound and path.suffix != _PART and path.exists()
            ]
            waiting.append(
                Waiting(
                    process=sibling.name.partition("-")[0],
                    lives=lives,
                    files=tuple(sound),
                    damaged=tuple(damaged),
                )
            )
        return waiting

    def _refused(self, path: Path) -> Path:
        folder = self._folder / _REFUSED_FOLDER
        folder.mkdir(mode=0o700, exist_ok=True)
        return path.replace(folder / (path.stem + _REFUSED))

    def names(self) -> list[str]:
        """Names of the payloads of this process, oldest first."""
        if self._own is None:
            return []
        return sorted(path.name.removesuffix(_READY) for path in self._own.glob("*" + _READY))

    def adopt(self) -> list[str]:
        """Take over the payloads of dead processes.

        Returns:
            Names of these payloads, oldest first.
        """
        adopted: list[str] = []
        if not self._folder.is_dir():
            return adopted
        for sibling in sorted(self._folder.iterdir()):
            if sibling == self._own or sibling.name.startswith(".") or not sibling.is_dir():
                continue
            lock = _try_lock(sibling / "lock")
            if lock is None:
                continue  # its process lives, or another one has just adopted it
            with lock:
                adopted += self._take_from(sibling)
        return sorted(adopted)

    def _take_from(self, sibling: Path) -> list[str]:
        adopted = []
        for path in sibling.glob("*" + _REFUSED):  # of an older version
            self._refused(path)
        left = list(sibling.glob("*" + _READY))
        left += [path for path in sibling.glob("*" + _PART) if _is_whole(path)]
        if left:
            own = self._own_folder()
            for path in left:
                path.replace(own / (path.stem + _READY))
                adopted.append(path.stem)
        shutil.rmtree(sibling, ignore_errors=True)
        return adopted

    def close(self) -> None:
        """Release the lock; remaining payloads wait for the next process."""
        if self._own is None or self._lock is None:
            return
        left = list(self._own.glob("*" + _READY))
        if not left:
            shutil.rmtree(self._own, ignore_errors=True)
        self._lock.close()
        self._own = self._lock = None
        if not left:
            with contextlib.suppress(OSError):
                self._folder.rmdir()  # only if it is empty

    def _own_folder(self) -> Path:
        if self._own is None:
            # Locked under a hidden name first: nobody may adopt it between its birth and its lock.
            name = f"{os.getpid()}-{secrets.token_hex(4)}"
            hidden = self._folder / f".{name}"
            _make_private(self._folder)
            hidden.mkdir(mode=0o700)
            (hidden / "lock").touch()
            self._lock = _try_lock(hidden / "lock")
            self._own = hidden.rename(self._folder / name)
            # Else a power failure could take the folder with all its files.
            for folder in (self._folder, self._folder.parent):
                _sync_folder(folder)
        return self._own


def _sealed(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode() + b"\n" + content


def _unsealed(content: bytes) -> bytes:
    """Check a file's first line and return the rest.

    Raises:
        ValueError: if they do not fit.
    """
    if content.startswith(b"{"):  # of a version that wrote no checksum
        return content
    digest, _, rest = content.partition(b"\n")
    if digest != hashlib.sha256(rest).hexdigest().encode():
        raise ValueError("its checksum does not fit its content")
    return rest


def _make_private(folder: Path) -> None:
    """Make a folder and its missing parents, the user's alone."""
    if not folder.is_dir():
        _make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _is_whole(path: Path) -> bool:
    try:
        json.loads(_unsealed(path.read_bytes()))
    except ValueError:
        return False
    return True


def _is_readable(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return _is_whole(path)
    return False


def _is_locked(path: Path) -> bool:
    """Return True while the process of a folder lives.

    The lock is not kept.
    """
    try:
        with path.open("rb") as file:
            # Shared: whoever else looks does not take us for the process.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _try_lock(path: Path) -> BinaryIO | None:
    """Lock a file and return it open.

    None if another process holds the lock or the file is gone. The kernel drops the lock when the
    process ends in whatever way, kill -9 included.
    """
    try:
        file = path.open("rb+")
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file
