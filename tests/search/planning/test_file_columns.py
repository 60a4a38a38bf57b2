"""A file for a finished sweep: its columns are looked at before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.errors import InputError
from search.planning.file_columns import check_file
from trainables.engine.contract import DataRef

REF = DataRef(name="mine", text="body")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "new.csv"
    path.write_text("body,text\na,b\n")
    return path


def test_the_sweeps_own_column_is_looked_for_unless_another_is_named(table: Path) -> None:
    check_file(table, REF)
    check_file(table, REF, "text")
    with pytest.raises(InputError, match=r"no column 'bdy'\. Did you mean 'body'\?.*--text\."):
        check_file(table, REF, "bdy")
    with pytest.raises(InputError, match=r"no column 'text_b'.* with --text-b"):
        check_file(table, DataRef(name="mine", text="body", text_b="text_b"))


def test_a_text_has_no_column(tmp_path: Path) -> None:
    path = tmp_path / "article.txt"
    path.write_text("a text")
    check_file(path, REF)
    with pytest.raises(InputError, match="is no table"):
        check_file(path, REF, "body")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no file .*none\.csv"):
        check_file(tmp_path / "none.csv", REF)


def test_what_a_header_cannot_tell_the_whole_file_tells(tmp_path: Path) -> None:
    path = tmp_path / "page.csv"
    path.write_text("<!DOCTYPE html>\n<p>404</p>\n")
    with pytest.raises(InputError, match="is a web page"):
        check_file(path, REF)
