"""CPUs, memory and GPUs; torch is imported only where there is a device."""

from __future__ import annotations

import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from search.doctor import machine
from search.doctor.finding import Finding

MEMORY = namedtuple("MEMORY", "total available")


@pytest.fixture
def devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr(machine, "_DEVICES", f"{tmp_path}/nvidia[0-9]*")


def gpus(monkeypatch: pytest.MonkeyPatch, **cuda: Any) -> list[Finding]:
    built = cuda.pop("built", "13.0")
    torch = SimpleNamespace(cuda=SimpleNamespace(**cuda), version=SimpleNamespace(cuda=built))
    monkeypatch.setitem(sys.modules, "torch", torch)
    return machine._gpus()


def test_torch_is_left_alone_without_a_device() -> None:
    code = (
        "import sys\nfrom search.doctor import machine\n"
        "machine._DEVICES = '/nowhere/nvidia*'\n"
        "assert [f.level for f in machine.look()][-1] == 'ok'\nassert 'torch' not in sys.modules"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("devices")
def test_a_gpu_is_told_with_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = gpus(
        monkeypatch,
        is_available=lambda: True,
        device_count=lambda: 1,
        mem_get_info=lambda index: (70 * 2**30, 80 * 2**30),
        get_device_name=lambda index: "H100",
    )
    assert (found.level, found.thing) == ("ok", "GPU 0")
    assert found.found == "H100, 70.0 GiB free of 80.0 GiB, CUDA 13.0"


@pytest.mark.usefixtures("devices")
@pytest.mark.parametrize(
    ("built", "todo"),
    [
        (None, "install a torch that is built for CUDA"),
        ("13.0", "see nvidia-smi: torch wants a driver for CUDA 13.0"),
    ],
)
def test_a_gpu_that_torch_cannot_use_is_a_fault(
    built: str | None, todo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (found,) = gpus(monkeypatch, built=built, is_available=lambda: False)
    assert (found.level, found.todo) == ("fault", todo)


@pytest.mark.usefixtures("devices")
def test_a_gpu_that_does_not_answer_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(index: int) -> None:
        raise RuntimeError("uncorrectable ECC error")

    (found,) = gpus(
        monkeypatch, is_available=lambda: True, device_count=lambda: 1, mem_get_info=broken
    )
    assert found.level == "fault"
    assert "uncorrectable ECC error" in found.found


def test_little_memory_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_control_group", lambda: (None, 0))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: MEMORY(8 * 2**30, 2**30))
    found = machine._memory()
    assert (found.level, found.found) == ("note", "1.0 GiB free of 8.0 GiB")


def test_a_containers_limit_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_control_group", lambda: (4 * 2**30, 2**30))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: MEMORY(64 * 2**30, 60 * 2**30))
    assert machine._memory().found == "3.0 GiB free of 4.0 GiB, the container's limit"
