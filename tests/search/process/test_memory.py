"""Freed memory goes back to the system."""

from __future__ import annotations

import ctypes
import sys

import psutil
import pytest

from search.process import memory


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc alone keeps it")
def test_what_was_freed_between_living_blocks_goes_back() -> None:
    if not hasattr(ctypes.CDLL(None), "malloc_trim"):
        pytest.skip("no glibc")
    process = psutil.Process()
    # Below the size from which glibc maps blocks of their own; each fourth one stays.
    blocks = [bytes(64_000) + bytes([number % 256]) for number in range(4_000)]
    kept = blocks[::4]
    del blocks
    before = process.memory_info().rss
    memory.give_back()
    assert before - process.memory_info().rss > 100 * 2**20
    assert len(kept) == 1_000


def test_without_such_a_c_library_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    memory.give_back()
