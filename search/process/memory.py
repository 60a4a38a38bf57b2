"""Memory of this process, given back to the system."""

from __future__ import annotations

import ctypes
import gc


def give_back() -> None:
    """Return freed memory to the system where the C library can.

    Glibc keeps what many threads freed, a fifth of a long sweep's memory, and takes new blocks
    beside it. Other C libraries return it by themselves, or never.
    """
    gc.collect()
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return
    trim(ctypes.c_size_t(0))
