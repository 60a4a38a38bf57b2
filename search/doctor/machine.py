"""CPUs, memory and GPUs that a sweep may use."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import psutil

from search.doctor.finding import Finding, size
from search.doctor.versions import installed
from search.formatting import counted
from search.process.environment import usable_cpus

_LEAST_MEMORY = 2 * 2**30
_DEVICES = "/dev/nvidia[0-9]*"


def look() -> list[Finding]:
    """CPUs, memory and GPUs."""
    return [_cpus(), _memory(), *_gpus()]


def _cpus() -> Finding:
    usable, there = usable_cpus(), os.cpu_count() or 1
    found = f"{usable} usable"
    if usable < there:
        found = f"{usable} of {there}: an affinity or a container's quota allows no more"
    return Finding(level="ok", subject="machine", thing="CPUs", found=found)


def _memory() -> Finding:
    memory = psutil.virtual_memory()
    limit, used = _control_group()
    total, free = memory.total, memory.available
    found = ""
    if limit is not None and limit < total:
        total, free = limit, min(free, max(limit - used, 0))
        found = ", the container's limit"
    found = f"{size(free)} free of {size(total)}{found}"
    if free < _LEAST_MEMORY:
        todo = "end other programs, or run with --trials 1: a worker takes about 1 GiB"
        return Finding(level="note", subject="machine", thing="memory", found=found, todo=todo)
    return Finding(level="ok", subject="machine", thing="memory", found=found)


def _control_group() -> tuple[int | None, int]:
    """Limit of a container's memory, and the part in use."""
    for names in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            limit, used = (
                Path("/sys/fs/cgroup", name).read_text(encoding="ascii").strip() for name in names
            )
            return (None, 0) if limit == "max" else (int(limit), int(used))
        except (OSError, ValueError):
            continue
    return None, 0


def _gpus() -> list[Finding]:
    """GPUs as torch sees them.

    It is imported only where there is a device.
    """
    devices = sorted(Path("/").glob(_DEVICES.lstrip("/")))
    build = installed("torch") or "none"
    if not devices:
        found = "none: cells are trained on CPUs"
        return [Finding(level="ok", subject="machine", thing="GPUs", found=found)]
    try:
        torch: Any = importlib.import_module("torch")
    except (ImportError, OSError) as error:
        found = f"{counted(len(devices), 'device')}, and torch {build} cannot be imported: {error}"
        return [_unused(found, "install torch anew, as pyproject.toml has it")]
    if not torch.cuda.is_available():
        found = f"{counted(len(devices), 'device')}, and torch {build} cannot use any"
        todo = (
            "install a torch that is built for CUDA"
            if torch.version.cuda is None
            else f"see nvidia-smi: torch wants a driver for CUDA {torch.version.cuda}"
        )
        return [_unused(found, todo)]
    return [_gpu(torch, index) for index in range(torch.cuda.device_count())]


def _gpu(torch: Any, index: int) -> Finding:
    thing = f"GPU {index}"
    try:
        free, total = torch.cuda.mem_get_info(index)
        name = torch.cuda.get_device_name(index)
    except RuntimeError as error:
        return _unused(f"it does not answer: {error}", "see nvidia-smi", thing)
    found = f"{name}, {size(free)} free of {size(total)}, CUDA {torch.version.cuda}"
    return Finding(level="ok", subject="machine", thing=thing, found=found)


def _unused(found: str, todo: str, thing: str = "GPUs") -> Finding:
    return Finding(level="fault", subject="machine", thing=thing, found=found, todo=todo)
