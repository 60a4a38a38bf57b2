"""Folders of tables that a config names."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from trainables.engine.errors import DataError
from trainables.engine.tables.files import is_table

STS = "sts"
"""Stands for the folder `sts` in FOLDRACE_DATA."""
STS_SETS = ("sts12", "sts13", "sts14", "sts15", "sts16", "stsb", "sickr")
"""Its tables: the seven sets whose mean is reported (Gao et al., EMNLP 2021; Liu et al., 2021)."""


def is_folder(reference: str) -> bool:
    """Return True for a folder of tables: it holds no model."""
    if is_sts(reference):
        return True
    path = Path(reference).expanduser()
    return path.is_dir() and not (path / "config.json").is_file() and bool(_tables(path))


def is_sts(reference: str) -> bool:
    """Return True where a reference means the seven sets of FOLDRACE_DATA."""
    return reference == STS and not Path(reference).exists()


def tables(reference: str) -> dict[str, Path]:
    """Return the tables of a folder by name, in order of name.

    Raises:
        DataError: naming the sets that the seven lack.
    """
    if not is_sts(reference):
        return _tables(Path(reference).expanduser().resolve())
    data = os.environ.get("FOLDRACE_DATA")
    if not data:
        raise DataError(
            "pairs=sts reads the folder sts in $FOLDRACE_DATA, which is not set: set it, or give a "
            "folder of tables."
        )
    folder = Path(data).expanduser() / STS
    found = _tables(folder.resolve()) if folder.is_dir() else {}
    lacking = [name for name in STS_SETS if name not in found]
    if lacking:
        raise DataError(
            f"pairs=sts wants a table (columns text, text_b, score) of each of {len(STS_SETS)} "
            f"sets in {folder}; it lacks {', '.join(lacking)}."
        )
    return {name: found[name] for name in STS_SETS}


def resolve(reference: str) -> str:
    """Make a reference the same in every folder."""
    return str(next(iter(tables(reference).values())).parent)


def fingerprint(reference: str) -> str:
    """sha256 of the tables' names and contents."""
    digest = hashlib.sha256()
    for name, path in tables(reference).items():
        with path.open("rb") as file:
            digest.update(f"{name}:{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return "sha256:" + digest.hexdigest()


def _tables(folder: Path) -> dict[str, Path]:
    found = sorted(path for path in folder.iterdir() if path.is_file() and is_table(path))
    return {path.name.partition(".")[0]: path for path in found}
