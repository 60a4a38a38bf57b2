"""The cache folder: its size, damaged files, leftovers."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from search.doctor.finding import Finding, Level, named, size
from search.doctor.state import existing
from search.formatting import counted
from trainables.engine import cache
from trainables.engine.features import embedding_store

_PATIENCE_S = 10.0
_ARRAYS = ("features", "hidden")
_OLD_S = 24 * 3600.0  # a draft that nobody writes any more


def look(
    patience_s: float = _PATIENCE_S, clock: Callable[[], float] = time.monotonic
) -> list[Finding]:
    """Look at the cache folder and at the checksums in it.

    Args:
        patience_s: Seconds after which no further file's checksum is computed.
        clock: Seconds, rising.
    """
    folder = cache.cache_folder()
    there = existing(folder)
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        found = f"{folder} cannot be written: {there} is not a writable folder"
        todo = f"name another in the environment variable {cache.VARIABLE}"
        return [_finding("fault", str(folder), found, todo)]
    if not folder.is_dir():
        return [_finding("ok", str(folder), "not there yet")]
    files = {}
    for path in sorted(folder.rglob("*")):
        with suppress(FileNotFoundError):  # removed at this moment
            if path.is_file():
                files[path] = path.stat()
    compared = _compare(list(files), clock, clock() + patience_s)
    whole = f"{counted(len(files), 'file')}, {size(sum(stat.st_size for stat in files.values()))}"
    if compared.sound:
        whole += f"; {compared.sound:,} as their checksums say"
    if compared.unchecked:
        whole += f", {compared.unchecked:,} not looked at for their size"
    left = {p: stat.st_size for p, stat in files.items() if _is_left(p, stat.st_mtime)}
    return [
        *_damage(folder, compared),
        *_leftovers(folder, left, _without_checksum(files)),
        _finding("ok", str(folder), whole),
    ]


@dataclass
class _Compared:
    """Files that have a checksum, by what came of the comparison."""

    sound: int = 0
    damaged: list[Path] = field(default_factory=list)
    unread: list[Path] = field(default_factory=list)
    unchecked: int = 0


def _compare(paths: list[Path], clock: Callable[[], float], deadline: float) -> _Compared:
    compared = _Compared()
    for path, is_sound in _sealed(paths):
        if clock() > deadline:
            compared.unchecked += 1
            continue
        try:
            # Twice: a file that is made at this moment has its checksum first.
            if is_sound(path) or is_sound(path):
                compared.sound += 1
            else:
                compared.damaged.append(path)
        except FileNotFoundError:
            continue  # removed at this moment
        except OSError:
            compared.unread.append(path)
    return compared


def _damage(folder: Path, compared: _Compared) -> list[Finding]:
    findings = []
    if damaged := compared.damaged:
        found = f"{counted(len(damaged), 'file')} not as written: {_below(folder, damaged)}"
        todo = "each is made anew at its next use; if that happens again, check the disk"
        findings.append(_finding("fault", "checksums", found, todo))
    if unread := compared.unread:
        found = f"{counted(len(unread), 'file')} cannot be read: {_below(folder, unread)}"
        todo = f"make them yours: chown -R $(id -u) {folder}"
        findings.append(_finding("fault", "checksums", found, todo))
    return findings


def _leftovers(folder: Path, left: Mapping[Path, int], bare: list[Path]) -> list[Finding]:
    findings = []
    if left:
        what = counted(len(left), "damaged or unfinished file")
        found = f"{what}, {size(sum(left.values()))}: {_below(folder, list(left))}"
        findings.append(_finding("note", "leftovers", found, "delete them: none is used"))
    if bare:
        found = f"{counted(len(bare), 'file')} of an older foldrace, {_below(folder, bare)}"
        todo = "each is made anew at its next use"
        findings.append(_finding("note", "no checksum", found, todo))
    return findings


def _sealed(paths: list[Path]) -> list[tuple[Path, Callable[[Path], bool]]]:
    """Files that have a checksum, each with the way to compare it."""
    sealed: list[tuple[Path, Callable[[Path], bool]]] = []
    there = set(paths)
    for path in paths:
        if path.with_name(f"{path.name}.sha256") in there:
            sealed.append((path, cache.is_sound))
        elif path.suffix == ".bin" and path.with_suffix(".json") in there:
            sealed.append((path, embedding_store.is_sound))
    return sealed


def _without_checksum(there: Collection[Path]) -> list[Path]:
    """Arrays that nobody trusts, since no checksum lies beside them."""
    return [
        path
        for path in there
        if path.suffix == ".npy"
        and path.parent.name in _ARRAYS
        and path.with_name(f"{path.name}.sha256") not in there
    ]


def _is_left(path: Path, changed: float) -> bool:
    return path.suffix == ".damaged" or (path.suffix == ".draft" and time.time() - changed > _OLD_S)


def _below(folder: Path, paths: list[Path]) -> str:
    return named([path.relative_to(folder).as_posix() for path in paths])


def _finding(level: Level, thing: str, found: str, todo: str | None = None) -> Finding:
    return Finding(level=level, subject="cache", thing=thing, found=found, todo=todo)
