"""The only file that sets a seed. A cell's seed drives three streams that do not touch each other.

init: classifier and proxies. order: which rows make a batch. dropout: what is dropped. (A fourth,
lengths, is the same for all cells: when an epoch's long batches come.) Each stream
is seeded by (seed, its name), never by the config or the fold's contents, so that all configs meet
the same init, order and dropout in a cell of the same (seed, fold): their scores are paired.

Nothing that is drawn depends on what was drawn before or for another cell: a cell is the same alone
and in any stack, in one process and in several, and after a resume.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from trainables.engine.arrays import Int32Array, IntArray

Stream = Literal["init", "order", "dropout", "lengths"]

# Numbers that are left for a row's views.
_VIEWS = 2**8


def stream_seed(seed: int, stream: Stream, *parts: int) -> int:
    """A 63-bit seed for one stream, the same on every machine.

    Args:
        seed: The cell's seed.
        stream: What it drives.
        parts: Further numbers that tell streams apart, for example the epoch.
    """
    text = ":".join(map(str, (seed, stream, *parts)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def numpy_generator(seed: int, stream: Stream, *parts: int) -> np.random.Generator:
    """A numpy generator for one stream."""
    return np.random.default_rng(stream_seed(seed, stream, *parts))


def start_stream(seed: int, stream: Stream, *parts: int) -> None:
    """Let torch's global generators, on every device, draw from one stream from here on."""
    torch.manual_seed(stream_seed(seed, stream, *parts))


@contextmanager
def drawing_from(seed: int, stream: Stream, *parts: int) -> Iterator[None]:
    """Let torch's CPU generator draw from one stream inside, and go on as before outside."""
    with torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed, which also seeds devices, and takes milliseconds where there is no
        # GPU to seed: it keeps a traceback for the day when there is.
        torch.default_generator.manual_seed(stream_seed(seed, stream, *parts))
        yield


def dropout_keys(
    seed: int,
    fold: int,
    epoch: int,
    rows: IntArray,
    views: int = 1,
) -> Int32Array:
    """What decides the dropout of a batch: see `dropout_masks.Step`.

    Args:
        seed: The cell's.
        fold: The cell's.
        epoch: From 0.
        rows: Rows of the data, (batch,).
        views: How many of each row; a batch holds all first views, then all second ones.

    Returns:
        Two numbers for each view of each row and, last, for the epoch, (views x batch + 1, 2). They
        are the same whatever other rows are in the batch.
    """
    of_views = np.arange(views, dtype=np.uint64)[:, None]
    numbers = rows.astype(np.uint64) * np.uint64(_VIEWS) + of_views
    start = np.uint64(stream_seed(seed, "dropout", fold, epoch))
    return _split_mix(start, np.append(numbers, np.uint64(2**63)))


def _split_mix(start: np.uint64, numbers: npt.NDArray[np.uint64]) -> Int32Array:
    """Two 32-bit numbers of each, (numbers, 2): SplitMix64 (Steele, Lea and Flood, 2014)."""
    with np.errstate(over="ignore"):
        mixed = start + (numbers + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed = mixed ^ (mixed >> np.uint64(31))
    return mixed.astype("<u8").view("<i4").astype(np.int32).reshape(-1, 2)
