"""The only file that sets a seed. A cell's seed drives three streams that do not touch each other.

init: classifier and proxies. order: which rows make a batch. dropout: what is dropped. (A fourth,
lengths, is the same for all cells: when an epoch's long batches come.) Each stream
is seeded by (seed, its name), never by the config or the fold's contents, so that all configs meet
the same init, order and dropout in a cell of the same (seed, fold): their scores are paired.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
import torch

Stream = Literal["init", "order", "dropout", "lengths"]


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
