"""The cache: a file is there whole or not at all, and made once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainables.engine import cache
from trainables.engine.errors import CacheError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDRACE_CACHE", str(tmp_path))


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "whole"
    file.write_bytes(b"old")
    with pytest.raises(AttributeError, match="'int' object has no attribute"):
        write(file, 5)
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]
    assert file.read_bytes() == b"old"


def write(file: Path, content: Any) -> None:
    with cache.written_whole(file) as draft:
        draft.write(b"half")
        draft.write(content.rest)


def test_a_file_is_made_once_and_read_from_disk() -> None:
    file = cache.cache_file("made", {"b": 1, "a": 2.0}, ".npy")
    made = []

    def make() -> None:
        made.append(file)
        with cache.written_whole(file) as draft:
            np.save(draft, np.arange(3))

    for _ in range(2):
        cache.make_once(file, make)
    rows = cache.memory_mapped(file)
    rows[0] = 7  # of this process alone
    assert made == [file]
    assert cache.memory_mapped(file).tolist() == [0, 1, 2]


def test_a_key_names_one_file_and_no_other() -> None:
    file = cache.cache_file("made", {"b": 1, "a": 2.0}, ".npy")
    assert file == cache.cache_file("made", {"a": 2, "b": 1}, ".npy")
    assert file != cache.cache_file("made", {"a": 3, "b": 1}, ".npy")


@pytest.mark.parametrize(
    "way", [lambda: cache.cache_file("made", 1, ".npy"), lambda: cache.folder_below("made")]
)
def test_a_cache_that_cannot_be_written_names_its_variable(
    way: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FOLDRACE_CACHE", str(tmp_path / "file"))
    with pytest.raises(CacheError, match=r"file.made cannot be written: .*FOLDRACE_CACHE") as found:
        way()
    assert found.value.exit_code == 2


def test_a_lock_that_cannot_be_made_names_the_variable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    file = tmp_path / "file" / "made.npy"
    with pytest.raises(CacheError, match="FOLDRACE_CACHE"), cache.one_process(file):
        pytest.fail("the lock is held")
