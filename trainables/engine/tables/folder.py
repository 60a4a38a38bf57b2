"""A folder as one table: Parquet parts, or a cloned hub set."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from trainables.engine.errors import DataError
from trainables.engine.tables.files import ENDINGS, ending_of, is_table
from trainables.engine.tables.part_files import read_parts
from trainables.engine.tables.table import Table

# train-00000-of-00001.parquet, as the hub and `save_to_disk` name their files.
_NUMBERED = re.compile(r"(.+?)-\d+-of-\d+")
_PARTS = {"train", "training", "dev", "val", "valid", "validation", "eval", "test", "testing"}
_COLUMNAR = (".parquet", ".arrow", ".feather")
_MOST_ENTRIES = 20_000


def read_folder(folder: Path, column_names: Collection[str] | None) -> Table:
    """Return the rows of a folder's files.

    Args:
        folder: Folder of Parquet parts, or of files named after the parts of a data set.
        column_names: Names of the columns to keep; None for all.

    Raises:
        DataError: if its files are not one table; the message says what to give instead.
    """
    files = files_of(folder)
    parts = [_part(path, folder) for path in files]
    known = [part for part in parts if part is not None]
    if known and len(known) < len(parts):
        stray = files[parts.index(None)]
        raise DataError(
            f"{folder} is a folder with files of a part ({known[0]}) and others "
            f"({_inside(stray, folder)}): give one file, or a folder of one table."
        )
    table = read_parts(list(zip(parts, files, strict=True)), column_names)
    counts = {part: parts.count(part) for part in dict.fromkeys(known)}
    said = ", ".join(f"{part} {count}" for part, count in counts.items())
    note = f"read from {len(files)} files of {folder.name}{f': {said}' if said else ''}"
    return Table(**{**vars(table), "source": str(folder), "notes": (note, *table.notes)})


def files_of(folder: Path) -> list[Path]:
    """Return the files of a folder that are one table, in order.

    Raises:
        DataError: if there is none, or they are several tables.
    """
    found = sorted(path for path in _walked(folder) if _counts(path, folder))
    if not found:
        raise DataError(_nothing(folder))
    kinds = sorted({ending_of(path) for path in found})
    whole = kinds[0] in _COLUMNAR or all(_part(path, folder) is not None for path in found)
    if len(kinds) > 1 or not whole:
        raise DataError(
            f"{folder} is a folder with the tables {_listed(found, folder)}: give one of them."
        )
    homes = sorted({_home(path, folder) for path in found})
    if len(homes) > 1:
        shown = ", ".join(str(folder / home) for home in homes[:6])
        raise DataError(
            f"{folder} is a folder with {len(homes)} tables: give one of the folders {shown}."
        )
    return found


def _walked(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder.

    Raises:
        DataError: if the folder holds too many: a disk or a home.
    """
    seen = 0
    for home, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        seen += len(names) + len(folders)
        if seen > _MOST_ENTRIES:
            raise DataError(f"{folder} is a folder of more than {_MOST_ENTRIES:,} files: give one.")
        yield from (Path(home, name) for name in names)


def _counts(path: Path, folder: Path) -> bool:
    """Return True for a file of rows: not hidden, no metadata."""
    inside = path.relative_to(folder).parts
    hidden = any(name.startswith((".", "_", "cache-")) for name in inside)
    return not hidden and is_table(path) and ending_of(path) != ".json" and path.is_file()


def _part(path: Path, folder: Path) -> str | None:
    """Return the official part that a path tells, if any."""
    stem = path.name.split(".")[0]
    numbered = _NUMBERED.fullmatch(stem)
    word = numbered[1] if numbered else stem
    if word.lower() in _PARTS or (numbered and word.lower() not in ("data", "part")):
        return word
    parent = path.parent.name if path.parent != folder else ""
    parent = parent.split("=")[-1]
    return parent if parent.lower() in _PARTS else None


def _home(path: Path, folder: Path) -> str:
    """Return the folder of a file's table, above parts and partitions."""
    home = path.parent
    while home != folder and (home.name.lower() in _PARTS or "=" in home.name):
        home = home.parent
    return home.relative_to(folder).as_posix()


def _inside(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _listed(files: list[Path], folder: Path) -> str:
    shown = ", ".join(_inside(path, folder) for path in files[:6])
    return shown + (f" and {len(files) - 6:,} more" if files[6:] else "")


def _nothing(folder: Path) -> str:
    if (folder / "config.json").is_file():
        return f"{folder} is a folder with a model, not data: is it for --model?"
    return (
        f"{folder} is a folder without tables: give a file ({', '.join(ENDINGS)}), or a folder of "
        "Parquet files."
    )
