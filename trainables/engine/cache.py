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
from trainables.engine.keys import canonical_json


def cache_folder() -> Path:
    """Return the folder of all caches.

    It is FOLDRACE_CACHE, else the user's cache folder for foldrace.
    """
    chosen = os.environ.get("FOLDRACE_CACHE")
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
    path = cache_folder() / folder / f"{name}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def one_process(path: Path) -> Iterator[None]:
    """Hold the lock of a file.

    One process makes the file, the others of the machine wait.
    """
    with FileLock(path.with_suffix(".lock")):
        yield


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
