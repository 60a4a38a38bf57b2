"""Ray's folder: fit for its sockets, another where the usual one is not, or a sentence."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from search.errors import InputError
from search.process import ray_home


@pytest.mark.parametrize("variable", ["RAY_TMPDIR", "TMPDIR"])
def test_a_folder_that_is_fit_is_taken(
    variable: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv(variable, "/tmp")
    assert ray_home.temp_dir() == "/tmp/ray"


@pytest.mark.parametrize("name", ["long" * 20, "ä b"])
def test_an_unfit_folder_is_passed_over_if_it_was_meant_for_all(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path / name))
    assert ray_home.temp_dir() == f"/tmp/ray-{os.getuid()}"


def test_an_unfit_folder_is_refused_if_it_was_meant_for_ray(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAY_TMPDIR", "/proc/version")  # a file
    with pytest.raises(InputError, match=r"/proc/version/ray: it cannot be written.*RAY_TMPDIR"):
        ray_home.temp_dir()


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])


def test_what_was_started_is_ended_and_nothing_else() -> None:
    with ray_home.attended() as attendance:
        with attendance.starting():
            ours = sleeper()
        other = sleeper()
    assert ours.wait(10) != 0
    assert other.poll() is None
    other.kill()
    other.wait()


def test_a_driver_that_is_killed_is_outlived_by_nothing_it_started() -> None:
    program = (
        "import subprocess, sys, time\nfrom search.process import ray_home\n"
        "with ray_home.attended() as attendance:\n"
        "    with attendance.starting():\n"
        "        one = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "    print(one.pid, flush=True)\n    time.sleep(600)\n"
    )
    driver = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    started = psutil.Process(int(driver.stdout.readline()))
    driver.kill()
    driver.communicate()
    deadline = time.monotonic() + 60
    while started.is_running() and started.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.1)
