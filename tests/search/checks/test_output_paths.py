"""Places to write to: tried before any work, and left as they were."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from search.checks.output_paths import OUTPUT_FOLDER, OutputFile

TABLE = OutputFile(".csv", ".parquet")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "there").mkdir()
    (tmp_path / "file.csv").write_text("mine")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("new.csv", None),
        ("new.PARQUET", None),
        ("file.csv", None),
        ("there/new.csv", None),
        ("there", "must be a file, .*there' is a folder"),
        ("new.txt", "must end in .csv or .parquet, got .*new.txt'"),
        ("new", "must end in .csv or .parquet"),
        ("none/new.csv", "must lie in a folder: there is no folder '.*none'"),
        ("file.csv/new.csv", "there is no folder '.*file.csv'"),
        ("pipe", "must be a plain file, '.*pipe' is none"),
        (f"{'x' * 300}.csv", "must be writable, .* is not: File name too long"),
        ("a\0b.csv", "must be writable"),
    ],
)
def test_files(folder: Path, name: str, fault: str | None) -> None:
    found = TABLE.fault(str(folder / name))
    if fault is None:
        assert found is None
    else:
        assert found is not None
        assert re.search(fault, found), found
    assert sorted(path.name for path in folder.iterdir()) == ["file.csv", "pipe", "there"]
    assert (folder / "file.csv").read_text() == "mine"


def test_a_pipe_will_do_where_it_can_be_written(folder: Path) -> None:
    assert OutputFile(".csv", pipes=True).fault(folder / "pipe") is None


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("there", None),
        ("new/and/below", None),
        ("file.csv", "must be a folder, '.*file.csv' is none"),
        ("file.csv/below", "must be a folder, '.*file.csv' is none"),
        (f"{'x' * 300}/y", "must be writable, .* is not: File name too long"),
    ],
)
def test_folders(folder: Path, name: str, fault: str | None) -> None:
    found = OUTPUT_FOLDER.fault(folder / name)
    assert (found is None) == (fault is None), found
    if fault is not None:
        assert re.search(fault, found), found
    assert sorted(path.name for path in folder.iterdir()) == ["file.csv", "pipe", "there"]


def test_a_disk_that_takes_nothing() -> None:
    fault = OUTPUT_FOLDER.fault("/proc/report")
    assert fault is not None
    assert "must be writable, '/proc/report' is not" in fault
