"""A cleaning step changes the texts, and with them the fingerprint that cell keys stand on."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainables.cleaning.reuters_prefix import CLEANING
from trainables.engine.contract import DataRef
from trainables.engine.dataset import load_data
from trainables.engine.textdata import DataError

ROWS = (
    "WASHINGTON (Reuters) - The head of a faction said,real",
    "(Corrects spelling) By A. Name ISLAMABAD (Reuters) \u2013 Troops shot,real",
    "You won t believe this (Reuters) said nothing - ever,fake",
    "Just plain words,fake",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "news.csv"
    path.write_text("text,label\n" + "\n".join(ROWS) + "\n", encoding="utf-8")
    return path


def test_the_agencys_mark_is_taken_off_and_nothing_else(path: Path) -> None:
    plain = load_data(DataRef(name=str(path)))
    cleaned = load_data(DataRef(name=str(path), cleaning=("reuters-prefix",)))
    assert cleaned.texts == (
        "The head of a faction said",
        "Troops shot",
        *plain.texts[2:],
    )
    assert cleaned.fingerprint != plain.fingerprint
    assert "cleaning reuters-prefix: 2 of 4 rows changed" in cleaned.notes


def test_a_mark_deep_in_the_text_stays() -> None:
    text = "word " * 80 + "PARIS (Reuters) - more"
    assert CLEANING(text) == text


def test_texts_of_which_nothing_is_left_are_missing(path: Path) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write("LONDON (Reuters) - ,real\n")
    ref = DataRef(name=str(path), cleaning=("reuters-prefix",))
    with pytest.raises(DataError, match=r"nothing of 1 of 5 texts.*--drop-missing"):
        load_data(ref)
    kept = load_data(DataRef(name=str(path), cleaning=ref.cleaning, drop_missing=True))
    assert (len(kept), kept.dropped) == (4, 1)


def test_an_unknown_step_is_named_with_the_nearest(path: Path) -> None:
    with pytest.raises(DataError, match="reuters_prefix"):
        load_data(DataRef(name=str(path), cleaning=("reuter-prefix",)))
