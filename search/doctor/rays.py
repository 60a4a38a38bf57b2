"""Folder, token, memory and leftover processes of a local Ray.

Ray is not imported.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from search.doctor.finding import Finding, Level, size
from search.errors import InputError
from search.formatting import counted
from search.process import ray_home

_SHARED = Path("/dev/shm")
_LEAST_SHARED = 200 * 2**20


def look() -> list[Finding]:
    """All that a local Ray needs, and what one has left."""
    return [_folder(), *_limits(), _token(), *_shared(), _processes()]


def _folder() -> Finding:
    try:
        return _finding("ok", "folder", f"{ray_home.temp_dir(make=False)} can be written")
    except InputError as error:
        return _finding("fault", "folder", str(error))


def _limits() -> list[Finding]:
    findings = []
    for thing, check in (
        ("processes", ray_home.check_processes),
        ("loopback", ray_home.check_loopback),
    ):
        try:
            check()
        except InputError as error:
            findings.append(_finding("fault", thing, str(error)))
    return findings


def _token() -> Finding:
    if os.environ.get("RAY_AUTH_TOKEN"):
        return _finding("ok", "token", "in RAY_AUTH_TOKEN")
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    try:
        path = Path(named) if named else Path.home() / ".ray" / "auth_token"
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        if named:
            found = f"RAY_AUTH_TOKEN_PATH names {named}, and there is no such file"
            return _finding("fault", "token", found, "make it, or unset the variable")
        return _finding("ok", "token", "none yet: Ray makes one")
    except (OSError, RuntimeError) as error:  # not to be read, or no home at all
        found = f"no file can be read ({error}): each sweep makes a token of its own"
        return _finding("ok", "token", found)
    if mode & 0o077:
        found = f"others may read {path} (mode {mode:04o}), and with it use your Ray"
        return _finding("fault", "token", found, f"chmod 600 {path}")
    return _finding("ok", "token", f"{path}, yours alone")


def _shared() -> list[Finding]:
    try:
        free = shutil.disk_usage(_SHARED).free
    except OSError:
        return []
    found = f"{size(free)} of shared memory free"
    if free < _LEAST_SHARED:
        todo = "docker run --shm-size 2g; else Ray takes its folder, which is slower"
        return [_finding("note", "/dev/shm", found, todo)]
    return [_finding("ok", "/dev/shm", found)]


def _processes() -> Finding:
    left = ray_home.left_behind()
    if not left:
        return _finding("ok", "processes", "none of a foldrace that is gone")
    found = f"{counted(len(left), 'process', 'processes')} of a foldrace that is gone"
    return _finding("fault", "processes", found, f"kill {' '.join(str(p.pid) for p in left)}")


def _finding(level: Level, thing: str, found: str, todo: str | None = None) -> Finding:
    return Finding(level=level, subject="ray", thing=thing, found=found, todo=todo)
