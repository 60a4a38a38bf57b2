"""A reference whose columns nobody named: found, left alone, or asked for."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from trainables.engine.contract import DataRef
from trainables.engine.datasets.found_columns import with_columns
from trainables.engine.datasets.load import load_data
from trainables.engine.errors import DataError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    lines = [f"{n};a question of {n} words;{('HUM', 'NUM')[n % 2]};{n % 7}" for n in range(40)]
    path = tmp_path / "questions.csv"
    path.write_text("\n".join(["Nr;The Question;Kind;asked", *lines]), encoding="utf-8")
    return path


def found(file: Path, **given: Any) -> tuple[str | None, str | None]:
    ref = with_columns(DataRef(name=str(file), **given))
    return ref.text, ref.label


def test_what_is_found_reads_as_if_it_had_been_typed(file: Path) -> None:
    file.write_text(file.read_text().replace("asked", "sentiment"))
    typed = DataRef(name=str(file), text="The Question", label="sentiment")
    assert with_columns(DataRef(name=str(file))) == typed
    assert load_data(typed).label_names == tuple("0123456")


def test_two_that_may_be_meant_are_shown_and_one_that_is_named_is_taken(file: Path) -> None:
    with pytest.raises(DataError, match=r"(?s)holds the labels\?.*  Kind +2 different: 'HUM'"):
        found(file)
    assert found(file, label="Kind") == ("The Question", "Kind")
    assert found(file, label="asked") == ("The Question", "asked")


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"label": "kind"}, "no column 'kind'. Did you mean 'Kind'?.*--label"),
        ({"text": "Question"}, "no column 'Question'.*--text"),
        ({"text_b": "Answer"}, "no column 'Answer'.*--text-b"),
    ],
)
def test_a_name_that_is_typed_wrongly_is_the_fault_that_is_told(
    file: Path, given: dict[str, str], fault: str
) -> None:
    with pytest.raises(DataError, match=fault):
        found(file, **given)


def test_usual_names_are_left_unsaid_so_that_keys_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label,verdict\na b c,x,1\nd e f,y,2\n", encoding="utf-8")
    ref = DataRef(name=str(path))
    assert with_columns(ref) is ref
    assert with_columns(DataRef(name="trec")) == DataRef(name="trec")


def test_a_file_without_a_header_of_its_own_is_read_where_that_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    rows = [f'{{"review": "a film {n}", "stars": {n % 3}}}' for n in range(20)]
    path.write_bytes(gzip.compress("\n".join(rows).encode()))
    ref = DataRef(name=str(path))
    assert with_columns(ref, whole=False) is ref
    assert found(path) == ("review", "stars")
