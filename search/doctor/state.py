"""The folder .foldrace, the results in it, and the disks."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

from search.doctor.finding import Finding, named, size
from search.formatting import counted
from search.ledger.spool import Spool, Waiting
from search.process.folders import LEAST_FREE_MIB

_LITTLE_MIB = 2_000


def look(state: Path, spool_folder: Path, places: Mapping[str, Path]) -> list[Finding]:
    """The state's folder, its spool, and the disks.

    Args:
        state: Folder of a run's state, which need not be there.
        spool_folder: Spool of the ledger that was asked about.
        places: Folders that are written to, by their name on the page.
    """
    return [*_folder(state), *_spools(state / "spool", spool_folder), *_disks(places)]


def existing(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def _folder(state: Path) -> list[Finding]:
    shown = str(state)
    there = existing(state)
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        found = f"{state.absolute()} cannot be written: {there} is not a writable folder"
        todo = "start sweeps in another folder"
        return [Finding(level="fault", subject="folders", thing=shown, found=found, todo=todo)]
    if not state.is_dir():
        found = f"not there: no sweep was started in {there}"
        return [Finding(level="ok", subject="folders", thing=shown, found=found)]
    mode = stat.S_IMODE(state.stat().st_mode)
    if mode & 0o077:
        found = f"others may look into it (mode {mode:04o}): predictions of your data wait there"
        todo = f"chmod 700 {state}"
        return [Finding(level="fault", subject="folders", thing=shown, found=found, todo=todo)]
    return [Finding(level="ok", subject="folders", thing=shown, found="yours alone, mode 0700")]


def _spools(folder: Path, asked: Path) -> list[Finding]:
    findings: list[Finding] = []
    folders = sorted(path for path in folder.glob("*") if path.is_dir()) if folder.is_dir() else []
    for path in folders:
        ours = path.name == asked.name
        whose = "this ledger" if ours else f"another ledger or experiment ({path.name})"
        try:
            findings += _spool(Spool(path), whose, ours)
        except OSError as error:
            found = f"{path} cannot be read: {error.strerror or error}"
            findings.append(Finding(level="fault", subject="spool", thing="results", found=found))
    if not findings:
        found = "no result waits for MLflow"
        findings.append(Finding(level="ok", subject="spool", thing="results", found=found))
    return findings


def _spool(spool: Spool, whose: str, ours: bool) -> list[Finding]:
    findings = []
    waiting = spool.look()
    damaged = [path for group in waiting for path in group.damaged]
    if damaged:
        found = (
            f"{counted(len(damaged), 'file')} for {whose} cannot be read, or does not fit its "
            f"checksum: {named(list(map(str, damaged)))}"
        )
        todo = "what was in it is trained again by `foldrace resume`; then delete it"
        findings.append(
            Finding(level="fault", subject="spool", thing="damaged", found=found, todo=todo)
        )
    if refused := spool.refused():
        found = f"MLflow would not have {counted(len(refused), 'result')} for {whose}: " + named(
            list(map(str, refused))
        )
        todo = "`foldrace resume` trains these cells again; then delete the files"
        findings.append(
            Finding(level="fault", subject="spool", thing="refused", found=found, todo=todo)
        )
    for group in waiting:
        if group.files:
            findings.append(_waiting(group, whose, ours))
    return findings


def _waiting(group: Waiting, whose: str, ours: bool) -> Finding:
    found = f"{counted(len(group.files), 'file')} for {whose}, "
    if group.lives:
        found += f"of process {group.process}, which delivers them"
        return Finding(level="ok", subject="spool", thing="results", found=found)
    found += f"of process {group.process}, which is gone"
    todo = "foldrace leaderboard latest delivers them" if ours else "any command there does it"
    return Finding(level="note", subject="spool", thing="results", found=found, todo=todo)


def _disks(places: Mapping[str, Path]) -> list[Finding]:
    """Free room, once a disk."""
    disks: dict[int, list[str]] = {}
    folders: dict[int, Path] = {}
    for name, place in places.items():
        there = existing(place)
        device = there.stat().st_dev
        disks.setdefault(device, []).append(name)
        folders.setdefault(device, there)
    return [_disk(names, folders[device]) for device, names in disks.items()]


def _disk(names: list[str], folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    found = f"{size(free)} free for {', '.join(names)}"
    if free < LEAST_FREE_MIB * 2**20:
        todo = f"make room: a sweep wants {LEAST_FREE_MIB} MiB"
        return Finding(level="fault", subject="machine", thing="disk", found=found, todo=todo)
    if free < _LITTLE_MIB * 2**20:
        todo = "make room: `foldrace prune` and `mlflow gc` remove old sweeps"
        return Finding(level="note", subject="machine", thing="disk", found=found, todo=todo)
    return Finding(level="ok", subject="machine", thing="disk", found=found)
