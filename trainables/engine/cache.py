"""The cache folder: downloads and costly files, once a machine.

A costly file has its sha256 beside it. Each process looks at it once: what does not fit is set
aside and made anew, so no score rests on damaged bytes.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import platformdirs
from filelock import FileLock

from trainables.engine.arrays import AnyArray
from trainables.engine.errors import CacheError
from trainables.engine.keys import canonical_json

_log = logging.getLogger("foldrace.cache")

_SEAL = ".sha256"
_DAMAGED = ".damaged"
# Files that this process found sound, with size and time of change at that moment.
_sound: dict[Path, tuple[int, int]] = {}

VARIABLE = "FOLDRACE_CACHE"
"""The environment variable that names the folder of all caches."""


def cache_folder() -> Path:
    """Return the folder of all caches.

    It is FOLDRACE_CACHE, else the user's cache folder for foldrace.
    """
    chosen = os.environ.get(VARIABLE)
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("foldrace"))


def cache_file(folder: str, key: object, suffix: str) -> Path:
    """Return the path of a cached file.

    Its name is the digest of all that decides its contents.

    Args:
        folder: Folder below the cache folder; made if need be.
        key: JSON value that differs wherever the contents may.
        suffix: Suffix of the file's name.
    """
    name = hashlib.sha256(canonical_json(key).encode()).hexdigest()[:32]
    return folder_below(folder) / f"{name}{suffix}"


def folder_below(name: str) -> Path:
    """Return a folder below the cache folder, made if need be.

    Raises:
        CacheError: if it cannot be made.
    """
    folder = cache_folder() / name
    with _writing(folder):
        # The user's alone; one that is there already, and perhaps shared, stays as it is.
        cache_folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turn the system's refusal into an error that names the way out."""
    try:
        yield
    except OSError as error:
        raise CacheError(
            f"The cache folder {folder} cannot be written: {error.strerror or error}. Name another "
            f"in the environment variable {VARIABLE}."
        ) from error


@contextmanager
def one_process(path: Path) -> Iterator[None]:
    """Hold the lock of a file.

    One process makes the file, the others of the machine wait.
    """
    lock = FileLock(path.with_suffix(".lock"))
    with _writing(path.parent):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def make_once(path: Path, make: Callable[[], None], *beside: Path) -> None:
    """Make a file that is not there yet, or is damaged.

    Args:
        path: Path of the file.
        make: Function that writes the file, sealed, see `written_whole`.
        beside: Files that `make` writes with it, sealed, too.
    """
    if all(map(is_sound, (path, *beside))):
        return
    with one_process(path):
        if not all(map(is_sound, (path, *beside))):
            for file in (path, *beside):
                set_aside(file)
            make()


def is_sound(path: Path) -> bool:
    """Return True for a file that has the checksum beside it."""
    try:
        stat = path.stat()
        signature = stat.st_size, stat.st_mtime_ns
        if _sound.get(path) == signature:
            return True
        seal = path.with_name(path.name + _SEAL).read_text(encoding="ascii", errors="replace")
        if seal.strip() != _digest(path):
            return False
    except FileNotFoundError:
        return False
    _sound[path] = signature
    return True


def set_aside(path: Path) -> None:
    """Rename a damaged file, to be looked at and made anew.

    One of an older version, which wrote no checksum, is removed.
    """
    if path.is_file() and not path.with_name(path.name + _SEAL).exists():
        _log.info("%s has no checksum, as an older foldrace wrote it: it is made anew", path)
        path.unlink()
    elif path.is_file():
        _log.warning(
            "%s does not fit its checksum: it is kept as %s%s and made anew",
            path,
            path.name,
            _DAMAGED,
        )
        path.replace(path.with_name(path.name + _DAMAGED))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def written_whole(path: Path, *, sealed: bool = False) -> Iterator[IO[bytes]]:
    """Open a draft that becomes the file once it is complete.

    A process that is killed leaves no half of a file.

    Args:
        path: Path of the file.
        sealed: Write its checksum beside it.
    """
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".draft", delete=False) as draft:
        try:
            yield draft
            draft.flush()
            os.fsync(draft.fileno())
        except BaseException:
            Path(draft.name).unlink()
            raise
    if sealed:
        # First: a file without its checksum counts for nothing.
        with written_whole(path.with_name(path.name + _SEAL)) as seal:
            seal.write(_digest(Path(draft.name)).encode())
    Path(draft.name).replace(path)


def memory_mapped(path: Path) -> AnyArray:
    """Return the array of an .npy file, memory-mapped.

    It is read from disk as it is used, and shared by all processes. It may be written, as torch
    wants it, but changes stay in this process.
    """
    array: AnyArray = np.load(path, mmap_mode="c")
    return array
