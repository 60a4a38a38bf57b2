"""Files that `foldrace submit` sends: code and pins.

Data, repositories and caches never travel.

Only files of the kinds that code consists of are taken, so that a data set, a database of runs or a
key that lies about in the tree stays where it is.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from search.cluster.options import MOST_MIB
from search.errors import InputError
from search.process.own_code import PACKAGES, ROOT

PINS = "constraints.txt"
ATTACHED = "attached"  # folder of the user's own files (--plugin, --configs) in the package

_KINDS = {".py", ".md", ".json", ".toml", ".txt", ".html", ".css", ".js", ".j2", ".cu", ".cpp"}
_CACHES = {"__pycache__", "node_modules", "mlruns", "mlartifacts", "build", "dist"}
_SHOWN = 5


def root() -> Path:
    """Folder that holds this foldrace: a checkout or an installation."""
    return ROOT


def code_files(folder: Path) -> list[Path]:
    """Relative paths of the code in a checkout, in fixed order."""
    paths = [Path(name) for name in ("pyproject.toml", PINS) if (folder / name).is_file()]
    for package in PACKAGES:
        paths += sorted(path.relative_to(folder) for path in _walk(folder / package))
    return paths


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith(".") or path.name in _CACHES or path.is_symlink():
            continue  # a link may lead to data, or out of the tree
        if path.is_dir():
            yield from _walk(path)
        elif path.suffix in _KINDS:
            yield path


def pack(
    target: Path, attached: Mapping[str, Path], *, folder: Path, most_mib: float = MOST_MIB
) -> float:
    """Copy code, pins and the user's files into an empty folder.

    Args:
        target: Folder to fill.
        attached: The user's files by the name they get in the folder `attached`.
        folder: The checkout to take the code from.
        most_mib: The most that all files together may have.

    Returns:
        What they have, in MiB.

    Raises:
        InputError: if there are no pins, or more than `most_mib`; names the largest files.
    """
    if not (folder / PINS).is_file():
        raise InputError(
            f"There is no {PINS} in {folder}: the nodes would not get the versions that were "
            "tested. Submit from a checkout (pip install --editable), or with --no-install."
        )
    files = {path: folder / path for path in code_files(folder)}
    files |= {Path(ATTACHED, name): path for name, path in attached.items()}
    sizes = {path: source.stat().st_size for path, source in files.items()}
    total = sum(sizes.values()) / 2**20
    if total > most_mib:
        raise InputError(
            f"The package has {total:.1f} MiB, at most {most_mib:g} may be sent. Largest: "
            f"{_largest(sizes)}. Data do not travel with the code: put them where all nodes can "
            "read them."
        )
    for path, source in files.items():
        place = target / path
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)
    return total


def _largest(sizes: Mapping[Path, int]) -> str:
    first = sorted(sizes, key=lambda path: -sizes[path])[:_SHOWN]
    return ", ".join(f"{path} ({sizes[path] / 2**20:.1f} MiB)" for path in first)
