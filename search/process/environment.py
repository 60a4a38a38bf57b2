"""Environment of a sweep: versions, machine, and state of the code."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from search.process import own_code

REQUIREMENTS, PATCH = "requirements.txt", "uncommitted.patch"
_LARGEST_PATCH = 1_000_000  # bytes; nobody reads a larger one


def usable_cpus() -> int:
    """Number of CPUs that affinity and quota leave this process."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # a system without affinities
        count = os.cpu_count() or 1
    return max(1, min(count, _quota() or count))


def _quota() -> int | None:
    """Whole CPUs that a container's quota allows; None without one."""
    for files in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            texts = [Path("/sys/fs/cgroup", name).read_text(encoding="ascii") for name in files]
            granted, period = " ".join(texts).split()
            if granted not in ("max", "-1"):
                return int(granted) // int(period)
        except (OSError, ValueError):
            continue
    return None


def threads(cpus: float) -> int:
    """Number of threads for a process with these CPUs.

    OMP_NUM_THREADS may ask for fewer.
    """
    limit = os.environ.get("OMP_NUM_THREADS", "")
    most = max(1, int(cpus))
    return min(most, int(limit)) if limit.isdecimal() and int(limit) > 0 else most


def tags() -> dict[str, str]:
    """Versions and machine as tags.

    Code in a git checkout adds its commit.
    """
    values = {
        "foldrace": _version("foldrace"),
        "python": platform.python_version(),
        "torch": _version("torch"),
        "code": own_code.numbers(),
        "machine": f"{platform.system()} {platform.machine()}, {usable_cpus()} CPUs",
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }
    commit = _git("rev-parse", "HEAD")
    if commit:
        # MLflow's own name for it: the UI shows it as the run's source version.
        values["mlflow.source.git.commit"] = commit
        values["git_branch"] = _git("rev-parse", "--abbrev-ref", "HEAD")
        values["git_uncommitted"] = str(bool(_git("status", "--porcelain", "-uno")))
    return {name: value for name, value in values.items() if value}


def files() -> dict[str, str]:
    """All packages with their versions, and uncommitted changes, as files."""
    packages = sorted(
        {f"{package.metadata['Name']}=={package.version}" for package in metadata.distributions()},
        key=str.lower,
    )
    texts = {REQUIREMENTS: "\n".join(packages) + "\n"}
    patch = _git("diff", "HEAD")
    if patch and len(patch) <= _LARGEST_PATCH:
        texts[PATCH] = patch + "\n"
    return texts


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _git(*arguments: str) -> str:
    """Answer of git on the code; empty outside a checkout."""
    if not (own_code.ROOT / ".git").exists():
        return ""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=own_code.ROOT,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
