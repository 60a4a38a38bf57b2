"""The cache: a file is there whole or not at all, and made once."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        with cache.written_whole(file, sealed=True) as draft:
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


def kept(content: bytes, made: list[int]) -> Path:
    """A sealed file of the cache, as another process would find it."""
    file = cache.cache_file("sealed", {"a": 1}, ".bin")

    def make() -> None:
        made.append(1)
        with cache.written_whole(file, sealed=True) as draft:
            draft.write(content)

    cache._sound.clear()
    cache.make_once(file, make)
    return file


@given(st.binary(min_size=1, max_size=40), st.data())
def test_a_file_of_other_bytes_than_its_checksum_is_set_aside_and_made_anew(
    content: bytes, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOLDRACE_CACHE", folder)
        made: list[int] = []
        file = kept(content, made)
        assert kept(content, made) == file
        assert len(made) == 1, "a sound file is not made twice"
        damaged = data.draw(damages(content))
        file.write_bytes(damaged)
        assert kept(content, made).read_bytes() == content
        assert len(made) == (1 if damaged == content else 2)
        if damaged != content:
            assert file.with_name(file.name + ".damaged").read_bytes() == damaged


@pytest.mark.parametrize("seal", [b"", b"0" * 64, b"\xff\xfe", None])
def test_a_file_whose_checksum_is_damaged_or_gone_is_made_anew(seal: bytes | None) -> None:
    made: list[int] = []
    companion = kept(b"content", made).with_name(kept(b"content", made).name + ".sha256")
    if seal is None:
        companion.unlink()
    else:
        companion.write_bytes(seal)
    assert kept(b"content", made).read_bytes() == b"content"
    assert len(made) == 2


def test_a_process_looks_at_a_file_once(monkeypatch: pytest.MonkeyPatch) -> None:
    file = kept(b"content", [])
    looks: list[Path] = []
    digest = cache._digest
    monkeypatch.setattr(cache, "_digest", lambda path: looks.append(path) or digest(path))
    cache._sound.clear()
    assert all(cache.is_sound(file) for _ in range(3))
    assert len(looks) == 1


def damages(content: bytes) -> st.SearchStrategy[bytes]:
    """The content with a bit flipped, or cut off, or emptied."""
    places = st.integers(0, len(content) - 1)
    flipped = st.tuples(places, st.integers(0, 7)).map(
        lambda at: content[: at[0]] + bytes([content[at[0]] ^ 1 << at[1]]) + content[at[0] + 1 :]
    )
    return flipped | places.map(lambda size: content[:size])
