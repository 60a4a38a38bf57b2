"""Rows that are costly to make, kept on disk batch by batch.

After a kill the next process goes on at the last batch. The rows are memory-mapped.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from trainables.engine.arrays import AnyArray
from trainables.engine.cache import cache_file, one_process, written_whole
from trainables.engine.progress import Ticker

Item = TypeVar("Item")

# Seconds of work that a restart makes again, at most; a flush costs milliseconds.
_BETWEEN_FLUSHES_S = 1.0


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
        rate = _fill(path, items, make, batch, ticker)
    shape, kind, _ = _progress(path)
    return np.memmap(path, kind, mode="r", shape=(len(items), *shape)), rate


def _progress(path: Path) -> tuple[tuple[int, ...], str, int]:
    """Read shape and type of a row, and how many are done."""
    try:
        value = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        return tuple(value["shape"]), value["type"], int(value["done"])
    except (OSError, ValueError, KeyError):  # none yet, or damaged: from the start
        return (), "", 0


def _fill(
    path: Path,
    items: Sequence[Item],
    make: Callable[[Sequence[Item]], AnyArray],
    batch: int,
    ticker: Ticker,
) -> float:
    shape, kind, done = _progress(path)
    if done == len(items) and path.is_file():
        return 0.0
    began, first, rows = time.perf_counter(), done, None
    if done:
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize * len(items)
        if not path.is_file() or path.stat().st_size != size:
            done = first = 0
        else:
            rows = np.memmap(path, kind, mode="r+", shape=(len(items), *shape))
    flushed = time.perf_counter()
    while done < len(items):
        part = make(items[done : done + batch])
        if rows is None:
            shape, kind = part.shape[1:], part.dtype.str
            rows = np.memmap(path, kind, mode="w+", shape=(len(items), *shape))
        rows[done : done + len(part)] = part
        done += len(part)
        ticker(done, len(items))
        if done == len(items) or time.perf_counter() - flushed > _BETWEEN_FLUSHES_S:
            rows.flush()
            # After the rows: rows that count as done are on disk.
            _note(path, shape, kind, done)
            flushed = time.perf_counter()
    return (done - first) / max(time.perf_counter() - began, 1e-9)


def _note(path: Path, shape: tuple[int, ...], kind: str, done: int) -> None:
    with written_whole(path.with_suffix(".json")) as draft:
        draft.write(json.dumps({"shape": list(shape), "type": kind, "done": done}).encode())
