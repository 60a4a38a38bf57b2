"""Environment of a sweep: versions, machine and code, kept with it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from search.process import installation, own_code

REQUIREMENTS, PATCH = "environment/requirements.txt", "environment/uncommitted.patch"
_LARGEST_PATCH = 1_000_000  # bytes; more is no change to read


def usable_cpus() -> int:
    """Number of CPUs within the process's affinity and quota."""
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
    """Number of threads for some CPUs; OMP_NUM_THREADS may ask for fewer."""
    limit = os.environ.get("OMP_NUM_THREADS", "")
    count = max(1, int(cpus))
    return min(count, int(limit)) if limit.isdecimal() and int(limit) > 0 else count


def tags() -> dict[str, str]:
    """Tags of versions, machine and, in a checkout, the commit."""
    values = {
        "foldrace": installation.version() or "",
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
    """Files that list package versions and uncommitted changes, by path."""
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
    """Output of git in the code's folder; empty outside a repository."""
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
