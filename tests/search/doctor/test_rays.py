"""What a local Ray needs, and what one has left; no Ray is started."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from search.doctor import rays
from search.process import ray_home


def test_a_folder_is_looked_at_and_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_home, "_LONGEST", 1000)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    assert rays._folder().level == "ok"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_ray_cannot_use_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TMPDIR", "/proc/version")
    assert rays._folder().level == "fault"
    assert "RAY_TMPDIR" in rays._folder().found


@pytest.mark.parametrize(("mode", "level"), [(0o600, "ok"), (0o644, "fault")])
def test_a_token_is_ones_own(
    mode: int, level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert rays._token().level == "ok"
    token = tmp_path / ".ray" / "auth_token"
    token.parent.mkdir()
    token.write_text("secret")
    token.chmod(mode)
    found = rays._token()
    assert found.level == level
    assert "secret" not in found.found
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "gone"))
    assert rays._token().level == "fault"


def test_processes_of_a_driver_that_is_gone_are_a_fault() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    marked = [
        subprocess.Popen(sleep, env={**os.environ, "FOLDRACE_RAY_OF": f"{pid}-0123456789abcdef"})
        for pid in (gone.pid, os.getpid())
    ]
    try:
        found = rays._processes()
        assert found.level == "fault"
        pids = str(found.todo).split()[1:]
        assert str(marked[0].pid) in pids
        assert str(marked[1].pid) not in pids, "its driver lives"
    finally:
        for process in marked:
            process.kill()
            process.wait()


def test_little_shared_memory_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")._replace(free=64 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    (found,) = rays._shared()
    assert (found.level, found.found) == ("note", "64 MiB of shared memory free")
