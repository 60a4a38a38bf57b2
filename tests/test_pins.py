"""`constraints.txt` pins what the project's requirements lead to, and nothing else."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]


def pinned() -> set[str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(Requirement(pin).name) for pin in pins}


def led_to(lines: list[str]) -> tuple[set[str], set[str]]:
    """Packages that requirements lead to: installed ones, and those that are not."""
    seen: dict[str, set[str]] = {}
    missing = set()
    waiting = [Requirement(line) for line in lines]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if name in seen and wanted.extras <= seen[name]:
            continue
        seen.setdefault(name, set()).update(wanted.extras)
        try:
            waiting += _next(name, seen[name])
        except metadata.PackageNotFoundError:
            missing.add(name)
    return set(seen) - missing, missing


def _next(name: str, extras: set[str]) -> Iterator[Requirement]:
    parts = [Requirement(line) for line in metadata.requires(name) or []]
    for part in parts:
        asked = [{"extra": extra} for extra in ("", *extras)]
        if part.marker is None or any(part.marker.evaluate(each) for each in asked):
            yield part


def test_every_package_of_a_sweep_and_of_the_tests_is_pinned() -> None:
    main = [*PROJECT["dependencies"], *EXTRAS["sample"], *EXTRAS["test"]]
    installed, missing = led_to(main)
    assert len(installed) > 100
    assert installed | missing <= pinned()


def test_no_package_is_pinned_that_nothing_needs() -> None:
    every = [line for lines in (PROJECT["dependencies"], *EXTRAS.values()) for line in lines]
    installed, missing = led_to(every)
    assert pinned() <= installed | missing | {"pip"}
