"""Python and packages, against the ranges that foldrace asks for."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from importlib import metadata

from packaging.requirements import InvalidRequirement, Requirement

from search.doctor.finding import Finding, named
from search.process import installation

_OLDEST = (3, 11)
_SHOWN = ("torch", "ray", "mlflow", "transformers")


def requirements() -> list[str]:
    """Requirements of foldrace, as installed or as its tree says."""
    here = installation.find()
    return [] if here is None else list(here.requirements)


def installed(name: str) -> str | None:
    """Version of an installed package; None without it."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def versions(lines: Sequence[str]) -> dict[str, str | None]:
    """Version of each package that is required, by name."""
    return {wanted.name: installed(wanted.name) for wanted in _wanted(lines)}


def look(lines: Sequence[str]) -> list[Finding]:
    """Compare Python and packages with what is required.

    Args:
        lines: Requirements, as `requirements` gives them.
    """
    own = installation.version() or "(not installed)"
    python = f"Python {platform.python_version()}, foldrace {own}"
    if sys.version_info[:2] < _OLDEST:
        least = ".".join(map(str, _OLDEST))
        findings = [_fault("Python", python, f"use Python {least} or newer")]
    else:
        findings = [Finding(level="ok", subject="versions", thing="Python", found=python)]
    wanted = _wanted(lines)
    misfits = [finding for part in wanted if (finding := _misfit(part)) is not None]
    if not wanted:
        found = "it is not known which packages foldrace asks for"
        return [*findings, Finding(level="note", subject="versions", thing="packages", found=found)]
    if misfits:
        return findings + misfits
    shown = named([f"{name} {installed(name)}" for name in _SHOWN if installed(name)][:3])
    found = f"all {len(wanted)} as foldrace asks: {shown} ..."
    return [*findings, Finding(level="ok", subject="versions", thing="packages", found=found)]


def _wanted(lines: Sequence[str]) -> list[Requirement]:
    wanted = []
    for line in lines:
        try:
            part = Requirement(line)
        except InvalidRequirement:
            continue
        if part.marker is None or part.marker.evaluate({"extra": ""}):
            wanted.append(part)
    return wanted


def _misfit(wanted: Requirement) -> Finding | None:
    version = installed(wanted.name)
    install = f'pip install "{wanted.name}{wanted.specifier}"'
    if version is None:
        return _fault(wanted.name, "is not installed", install)
    if not wanted.specifier.contains(version, prereleases=True):
        return _fault(wanted.name, f"{version}, foldrace asks for {wanted.specifier}", install)
    return None


def _fault(thing: str, found: str, todo: str) -> Finding:
    return Finding(level="fault", subject="versions", thing=thing, found=found, todo=todo)
