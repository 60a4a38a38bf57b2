"""Version, requirements and pins of this foldrace, from its tree or metadata.

Both are looked for beside the packages that run: another foldrace, installed elsewhere on the path,
may ask for other versions.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from search.process.own_code import ROOT

NAME = "foldrace"
PINS = "constraints.txt"
# Where hatchling's `extra-metadata` puts a file, in a wheel's .dist-info.
_PINS_INSTALLED = f"extra_metadata/{PINS}"
_PROJECT = "pyproject.toml"
_METADATA = "METADATA"


@dataclass(frozen=True, kw_only=True)
class Installation:
    """This foldrace, as a checkout or an installed distribution describes it.

    Attributes:
        version: Version.
        requirements: Packages that it cannot do without, as pip takes them.
        extras: Packages of each extra.
        pins: Text of constraints.txt; None without it.
        description: Files that describe it, by their path beside the packages.
    """

    version: str
    requirements: tuple[str, ...]
    extras: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    pins: str | None = None
    description: Mapping[str, str] = field(default_factory=dict)

    def installed_of(self, extras: Collection[str]) -> list[str]:
        """Packages of those extras that this process has whole."""
        return [
            line
            for extra in extras
            if all(_is_installed(line) for line in self.extras.get(extra, ()))
            for line in self.extras.get(extra, ())
        ]


def find(folder: Path = ROOT) -> Installation | None:
    """Describe the foldrace in a folder; None where nothing describes one.

    Args:
        folder: A checkout, a folder of installed packages, or what was sent to a cluster.
    """
    try:
        return _of_tree(folder) or _of_metadata(folder)
    except (OSError, ValueError, KeyError):  # damaged: as good as none
        return None


def version() -> str | None:
    """Version of this foldrace; None where nothing says it."""
    here = find()
    return None if here is None else here.version


def _of_tree(folder: Path) -> Installation | None:
    path = folder / _PROJECT
    if not path.is_file():
        return None
    text = path.read_text(encoding="utf-8")
    project: dict[str, Any] = tomllib.loads(text).get("project", {})
    if project.get("name") != NAME:  # packages do drop theirs among the installed ones
        return None
    pins = folder / PINS
    return Installation(
        version=project["version"],
        requirements=tuple(project["dependencies"]),
        extras={name: tuple(of) for name, of in project["optional-dependencies"].items()},
        pins=pins.read_text(encoding="utf-8") if pins.is_file() else None,
        description={_PROJECT: text},
    )


def _of_metadata(folder: Path) -> Installation | None:
    found = next(iter(metadata.distributions(name=NAME, path=[str(folder)])), None)
    if found is None:
        return None
    lines = [Requirement(line) for line in found.requires or ()]
    extras = found.metadata.get_all("Provides-Extra") or ()
    return Installation(
        version=found.version,
        requirements=tuple(_asked(lines, "")),
        extras={
            extra: tuple(line for line in _asked(lines, extra) if line not in _asked(lines, ""))
            for extra in extras
        },
        pins=found.read_text(_PINS_INSTALLED),
        description={
            f"{NAME}-{found.version}.dist-info/{_METADATA}": found.read_text(_METADATA) or ""
        },
    )


def _asked(lines: Collection[Requirement], extra: str) -> Iterator[str]:
    """Requirements that hold with an extra, without their markers."""
    for line in lines:
        if line.marker is None or line.marker.evaluate({"extra": extra}):
            parts = f"[{','.join(sorted(line.extras))}]" if line.extras else ""
            yield f"{line.name}{parts}{line.specifier}"


def _is_installed(line: str) -> bool:
    try:
        metadata.version(Requirement(line).name)
    except (InvalidRequirement, metadata.PackageNotFoundError):
        return False
    return True
