"""The cache folder: damage is found, and nothing is touched."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import numpy as np
import pytest

from search.doctor import caches
from search.doctor.finding import Finding
from trainables.engine import cache
from trainables.engine.features import embedding_store
from trainables.engine.progress import Ticker


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "cache"
    monkeypatch.setenv("FOLDRACE_CACHE", str(place))
    monkeypatch.setattr(cache, "_sound", {})
    return place


def sealed() -> Path:
    path = cache.cache_file("features", {"kind": "test"}, ".npy")
    with cache.written_whole(path, sealed=True) as draft:
        draft.write(b"0123456789")
    return path


def embeddings() -> Path:
    rows = np.ones((20, 3), np.float32)
    embedding_store.filled(
        {"kind": "test"}, list(range(20)), lambda items: rows[list(items)], 8, Ticker("x")
    )
    return cache.cache_file("embeddings", {"kind": "test"}, ".bin")


def flip(path: Path) -> None:
    """Change a byte, and neither size nor time."""
    stat = path.stat()
    content = bytearray(path.read_bytes())
    content[5] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def only(findings: list[Finding], level: str) -> Finding:
    (found,) = [finding for finding in findings if finding.level == level]
    return found


def test_sound_files_are_counted(folder: Path) -> None:
    sealed()
    embeddings()
    (found,) = caches.look()
    assert found.level == "ok"
    assert found.found.endswith("; 2 as their checksums say")


def test_no_folder_is_made(folder: Path) -> None:
    assert only(caches.look(), "ok").found == "not there yet"
    assert not folder.exists()


@pytest.mark.parametrize("make", [sealed, embeddings])
def test_a_changed_byte_is_a_fault(
    make: object, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make()  # type: ignore[operator]
    flip(path)
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert path.name in only(caches.look(), "fault").found
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_half_of_the_rows_are_sound(folder: Path) -> None:
    path = embeddings()
    note = path.with_suffix(".json")
    content = path.read_bytes()
    digest = embedding_store.hashlib.sha256(content[: 8 * 12]).hexdigest()
    note.write_text(f'{{"shape": [3], "type": "<f4", "done": 8, "sha256": "{digest}"}}')
    path.write_bytes(content[: 8 * 12] + bytes(12 * 12))
    assert embedding_store.is_sound(path)


def test_leftovers_and_files_without_a_checksum_are_noted(folder: Path) -> None:
    path = sealed()
    path.with_name(path.name + ".sha256").unlink()
    (path.parent / "old.npy.damaged").touch()
    (path.parent / "new.draft").touch()
    (path.parent / "old.draft").touch()
    os.utime(path.parent / "old.draft", (1, 1))
    notes = {f.thing: f.found for f in caches.look() if f.level == "note"}
    assert set(notes) == {"leftovers", "no checksum"}
    assert notes["leftovers"].startswith("2 damaged or unfinished files")
    assert path.name in notes["no checksum"]


def test_what_takes_too_long_is_said(folder: Path) -> None:
    sealed()
    ticks = itertools.count(0, 100)
    (found,) = caches.look(clock=lambda: next(ticks))
    assert found.found.endswith(", 1 not looked at for their size")


def test_a_cache_that_cannot_be_written_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDRACE_CACHE", "/proc/version/cache")
    fault = only(caches.look(), "fault")
    assert "/proc/version is not a writable folder" in fault.found
    assert "FOLDRACE_CACHE" in str(fault.todo)
