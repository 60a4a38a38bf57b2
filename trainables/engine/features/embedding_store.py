"""Rows that are costly to make, kept on disk batch by batch.

After a kill the next process goes on at the last batch. The rows are memory-mapped. Their sha256 is
kept with them: each process looks at it once, and damaged rows are made anew.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from trainables.engine.arrays import AnyArray
from trainables.engine.cache import cache_file, one_process, set_aside, written_whole
from trainables.engine.progress import Ticker

Item = TypeVar("Item")

# Seconds of work that a restart makes again, at most; a flush costs milliseconds.
_BETWEEN_FLUSHES_S = 1.0
_READ_AT_ONCE = 1 << 24
# Complete files that this process found sound, with the digest of their rows.
_checked: dict[Path, str] = {}


def filled(
    key: object,
    items: Sequence[Item],
    make: Callable[[Sequence[Item]], AnyArray],
    batch: int,
    ticker: Ticker,
) -> tuple[AnyArray, float]:
    """Make a row for each item, where it is not on disk.

    Args:
        key: JSON value of all that decides the rows, the items too.
        items: Items in order, one a row.
        make: Makes the rows of some items, (items, ...), all of one shape and type.
        batch: Number of items at once.
        ticker: Called with the progress.

    Returns:
        The rows, memory-mapped read-only, (items, ...), and the items made a second in this call;
        0 where none was left.

    Raises:
        ValueError: if there are no items.
    """
    if not items:
        raise ValueError("an embedding store needs at least 1 item, got none.")
    path = cache_file("embeddings", key, ".bin")
    with one_process(path):
        store = _Store(path, len(items))
        rate = store.fill(items, make, batch, ticker)
    return store.rows(), rate


def is_sound(path: Path) -> bool:
    """Return True for a file whose rows fit their note.

    Nothing is set aside. A file without a note counts for nothing, and is none.

    Raises:
        OSError: if it cannot be read.
    """
    try:
        note = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        kind = np.dtype(note["type"])
        size = int(np.prod(note["shape"], dtype=np.int64)) * kind.itemsize * int(note["done"])
        noted = str(note["sha256"])
    except (ValueError, KeyError, TypeError):
        return False
    return path.stat().st_size >= size and _digest(path, size).hexdigest() == noted


def _digest(path: Path, size: int) -> hashlib._Hash:
    """Digest of the first bytes of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while size > 0 and (part := file.read(min(size, _READ_AT_ONCE))):
            digest.update(part)
            size -= len(part)
    return digest


class _Store:
    """Rows in a file, with a note beside it.

    The note has the shape and type of a row, and the count and sha256 of those done.
    """

    def __init__(self, path: Path, count: int) -> None:
        self._path = path
        self._note_file = path.with_suffix(".json")
        self._count = count
        self._shape: tuple[int, ...] = ()
        self._kind = ""
        self._done = 0
        self._digest = hashlib.sha256()
        if self._read_note() and not self._is_sound():
            set_aside(path)
            self._shape, self._kind, self._done = (), "", 0
            self._digest = hashlib.sha256()

    def rows(self) -> AnyArray:
        """The rows, memory-mapped read-only."""
        return np.memmap(self._path, self._kind, mode="r", shape=(self._count, *self._shape))

    def _read_note(self) -> bool:
        """Read the note of a file begun earlier; False without one."""
        try:
            note = json.loads(self._note_file.read_text(encoding="utf-8"))
            self._shape, self._kind = tuple(note["shape"]), np.dtype(note["type"]).str
            self._done, self._noted = int(note["done"]), str(note["sha256"])
        except (OSError, ValueError, KeyError, TypeError):  # none yet, or damaged: from the start
            self._shape, self._kind, self._done = (), "", 0
            return False
        return self._done > 0

    def _is_sound(self) -> bool:
        """Compare the rows that are done with the note's digest."""
        size = int(np.prod(self._shape, dtype=np.int64)) * np.dtype(self._kind).itemsize
        if not self._path.is_file() or self._path.stat().st_size != size * self._count:
            return False
        if self._done == self._count and _checked.get(self._path) == self._noted:
            return True
        self._digest = _digest(self._path, size * self._done)
        return self._digest.hexdigest() == self._noted

    def fill(
        self,
        items: Sequence[Item],
        make: Callable[[Sequence[Item]], AnyArray],
        batch: int,
        ticker: Ticker,
    ) -> float:
        """Make the rows that are missing; items a second."""
        began, first, rows = time.perf_counter(), self._done, None
        flushed = began
        while self._done < self._count:
            part = make(items[self._done : self._done + batch])
            if rows is None:
                mode: Literal["r+", "w+"] = "r+" if self._done else "w+"
                if not self._done:
                    self._shape, self._kind = part.shape[1:], part.dtype.str
                shape = (self._count, *self._shape)
                rows = np.memmap(self._path, self._kind, mode=mode, shape=shape)
                self._path.chmod(0o600)  # as all files of the cache
            part = np.ascontiguousarray(part, self._kind)
            rows[self._done : self._done + len(part)] = part
            self._digest.update(part.tobytes())
            self._done += len(part)
            ticker(self._done, self._count)
            now = time.perf_counter()
            if self._done == self._count or now - flushed > _BETWEEN_FLUSHES_S:
                rows.flush()
                self._note()  # after the rows: rows that count as done are on disk
                flushed = time.perf_counter()
        if first < self._done:
            self._noted = self._digest.hexdigest()
        _checked[self._path] = self._noted
        return (self._done - first) / max(time.perf_counter() - began, 1e-9)

    def _note(self) -> None:
        note = {
            "shape": list(self._shape),
            "type": self._kind,
            "done": self._done,
            "sha256": self._digest.hexdigest(),
        }
        with written_whole(self._note_file) as draft:
            draft.write(json.dumps(note).encode())
