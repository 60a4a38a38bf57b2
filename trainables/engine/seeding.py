"""Seeding: three independent streams of a cell, from its seed.

No other file sets a seed. init: classifier and proxies. order: rows of each batch. dropout: dropped
values. Two more: views, which of a text's draws are shown; lengths, which is the same for all cells
and places an epoch's long batches.
Each stream is seeded by (seed, its name), never by the config or the fold's contents: all configs
meet the same init, order and dropout in a cell of the same (seed, fold), so their scores are
paired.

No draw depends on earlier draws or on other cells: a cell is the same alone and in any stack, in
one process and in several, and after a resume.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from trainables.engine.arrays import Int32Array, IntArray

Stream = Literal["init", "adapters", "order", "dropout", "lengths", "views"]

# Largest number of a row's views.
_VIEWS = 2**8


def stream_seed(seed: int, stream: Stream, *parts: int) -> int:
    """Return a 63-bit seed for one stream, the same on every machine.

    Args:
        seed: Seed of the cell.
        stream: Name of the stream.
        parts: Further numbers that tell streams apart, for example the epoch.
    """
    text = ":".join(map(str, (seed, stream, *parts)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def numpy_generator(seed: int, stream: Stream, *parts: int) -> np.random.Generator:
    """Return a numpy generator for one stream."""
    return np.random.default_rng(stream_seed(seed, stream, *parts))


def start_stream(seed: int, stream: Stream, *parts: int) -> None:
    """Seed torch's global generators, on every device, with one stream."""
    torch.manual_seed(stream_seed(seed, stream, *parts))


def start_everything(seed: int) -> None:
    """Seed Python's, numpy's and torch's global generators with a cell's seed.

    For a function of the user's own, which may draw from any of them.
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  (the old generator is the one that others use)
    torch.manual_seed(seed)


@contextmanager
def drawing_from(seed: int, stream: Stream, *parts: int) -> Iterator[None]:
    """Seed torch's CPU generator inside, and restore it outside."""
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
    """Return the keys that decide the dropout of a batch.

    See `dropout_masks.Step`.

    Args:
        seed: Seed of the cell.
        fold: Fold of the cell.
        epoch: Number of the epoch, from 0.
        rows: Row numbers of the data, (batch,).
        views: Number of views of each row; a batch holds all first views, then all second ones.

    Returns:
        Two numbers for each view of each row and, last, for the epoch, (views x batch + 1, 2). They
        are the same whatever other rows are in the batch.
    """
    of_views = np.arange(views, dtype=np.uint64)[:, None]
    numbers = rows.astype(np.uint64) * np.uint64(_VIEWS) + of_views
    start = np.uint64(stream_seed(seed, "dropout", fold, epoch))
    return _split_mix(start, np.append(numbers, np.uint64(2**63)))


def row_draws(seed: int, epoch: int, rows: IntArray, draws: int) -> IntArray:
    """Return the number of each row's draw in an epoch.

    Args:
        seed: Seed of the cell.
        epoch: Number of the epoch, from 0.
        rows: Row numbers of the data, (batch,).
        draws: Number of draws of each row.

    Returns:
        Numbers below `draws`, (batch,).
    """
    start = np.uint64(stream_seed(seed, "views", epoch))
    mixed = _split_mix(start, rows.astype(np.uint64))[:, 0].view(np.uint32)
    return (mixed.astype(np.int64) * draws) >> 32


def _split_mix(start: np.uint64, numbers: npt.NDArray[np.uint64]) -> Int32Array:
    """Return two 32-bit numbers of each number, (numbers, 2).

    The function is SplitMix64 (Steele, Lea and Flood, 2014).
    """
    with np.errstate(over="ignore"):
        mixed = start + (numbers + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed = mixed ^ (mixed >> np.uint64(31))
    return mixed.astype("<u8").view("<i4").astype(np.int32).reshape(-1, 2)
