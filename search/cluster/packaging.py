"""Files that `foldrace submit` sends: code and pins.

They come from a checkout or from an installed wheel. Data, repositories and caches never travel.

Only files of the kinds that code consists of are taken, so that a data set, a database of runs or a
key that lies about in the tree stays where it is.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from search.cluster.options import MOST_MIB
from search.errors import InputError
from search.process import installation
from search.process.installation import PINS
from search.process.own_code import PACKAGES, ROOT

ATTACHED = "attached"  # folder of the user's own files (--plugin, --configs) in the package

_KINDS = {".py", ".md", ".json", ".toml", ".txt", ".html", ".css", ".js", ".j2", ".cu", ".cpp"}
_CACHES = {"__pycache__", "node_modules", "mlruns", "mlartifacts", "build", "dist"}
_SHOWN = 5


def root() -> Path:
    """Folder that holds this foldrace: a checkout or an installation."""
    return ROOT


def code_files(folder: Path) -> list[Path]:
    """Relative paths of the code beside one another, in fixed order."""
    return [
        path
        for package in PACKAGES
        for path in sorted(found.relative_to(folder) for found in _walk(folder / package))
    ]


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith(".") or path.name in _CACHES or path.is_symlink():
            continue  # a link may lead to data, or out of the tree
        if path.is_dir():
            yield from _walk(path)
        elif path.suffix in _KINDS:
            yield path


def pack(
    target: Path,
    attached: Mapping[str, Path],
    *,
    folder: Path,
    most_mib: float = MOST_MIB,
    pinned: bool = True,
) -> float:
    """Copy code, pins and the user's files into an empty folder.

    Args:
        target: Folder to fill.
        attached: The user's files by the name they get in the folder `attached`.
        folder: Checkout or folder of installed packages to take the code from.
        most_mib: The most that all files together may have.
        pinned: True if the nodes will install the pins.

    Returns:
        What they have, in MiB.

    Raises:
        InputError: if there are no pins, or more than `most_mib`; names the largest files.
    """
    texts = _description(folder, pinned=pinned)
    files = {path: folder / path for path in code_files(folder)}
    files |= {Path(ATTACHED, name): path for name, path in attached.items()}
    sizes = {path: source.stat().st_size for path, source in files.items()}
    sizes |= {path: len(text.encode()) for path, text in texts.items()}
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
    for path, text in texts.items():
        place = target / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    return total


def _description(folder: Path, *, pinned: bool) -> dict[Path, str]:
    """Texts that tell the nodes which foldrace this is, with its pins."""
    here = installation.find(folder)
    if pinned and (here is None or here.pins is None):
        raise InputError(
            f"There is no {PINS} with the foldrace in {folder}: the nodes would not get the "
            "versions that were tested. Submit from an installed wheel or a checkout, or with "
            "--no-install."
        )
    if here is None:
        return {}
    texts = {Path(name): text for name, text in here.description.items()}
    return texts if here.pins is None else texts | {Path(PINS): here.pins}


def _largest(sizes: Mapping[Path, int]) -> str:
    first = sorted(sizes, key=lambda path: -sizes[path])[:_SHOWN]
    return ", ".join(f"{path} ({sizes[path] / 2**20:.1f} MiB)" for path in first)
