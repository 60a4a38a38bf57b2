"""The cache folder: downloads and costly files, once a machine."""

from __future__ import annotations

import hashlib
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
        folder.mkdir(parents=True, exist_ok=True)
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


def make_once(path: Path, make: Callable[[], None]) -> None:
    """Make a file that is not there yet.

    Args:
        path: Path of the file.
        make: Function that writes the file, see `written_whole`.
    """
    if path.is_file():
        return
    with one_process(path):
        if not path.is_file():
            make()


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a draft that becomes the file once it is complete.

    A process that is killed leaves no half of a file.
    """
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".draft", delete=False) as draft:
        try:
            yield draft
            draft.flush()
            os.fsync(draft.fileno())
        except BaseException:
            Path(draft.name).unlink()
            raise
    Path(draft.name).replace(path)


def memory_mapped(path: Path) -> AnyArray:
    """Return the array of an .npy file, memory-mapped.

    It is read from disk as it is used, and shared by all processes. It may be written, as torch
    wants it, but changes stay in this process.
    """
    array: AnyArray = np.load(path, mmap_mode="c")
    return array
