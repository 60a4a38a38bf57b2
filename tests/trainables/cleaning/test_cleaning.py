"""A cleaning step changes the texts, and with them the fingerprint that cell keys stand on."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.cleaning.reuters_prefix import CLEANING
from trainables.engine.contract import DataRef
from trainables.engine.datasets.cleaning import clean_text
from trainables.engine.datasets.load import load_data
from trainables.engine.errors import DataError, RegistryError

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
    with pytest.raises(RegistryError, match="reuters_prefix"):
        load_data(DataRef(name=str(path), cleaning=("reuter-prefix",)))


# The minister said on Twitter that Delhi has 3.5 lakh cases.
HINDI = "मंत्री ने ट्विटर पर कहा: दिल्ली में 3.5 लाख मामले हैं।"


@pytest.mark.parametrize(
    ("step", "text", "expected"),
    [
        ("urls", "see https://t.co/aB1?x=1, now", "see , now"),
        ("urls", "(www.a.example/b_c)", "( )"),
        ("urls", "pic.twitter.com/xyz it.co/p stays", "it.co/p stays"),
        ("urls", f"https://t.co/xyz{HINDI}", HINDI),
        ("urls", "no  url,  as it was", "no  url,  as it was"),
        ("punctuation", "COVID-19: 1,000 cases (3.5%)!", "COVID19 1,000 cases 3.5"),
        ("punctuation", "don't -- stop", "dont stop"),
        ("punctuation", HINDI, "मंत्री ने ट्विटर पर कहा दिल्ली में 3.5 लाख मामले हैं"),
        ("stop-words", "The minister is not in Delhi", "minister not Delhi"),
        ("stop-words", HINDI, "मंत्री ट्विटर कहा: दिल्ली 3.5 लाख मामले ।"),
        ("stop-words", "यह सच नहीं है", "सच नहीं"),
        ("stop-words", "It\u2019s theirs", ""),
    ],
)
def test_what_a_step_makes_of_english_and_hindi(step: str, text: str, expected: str) -> None:
    assert clean_text(text, [step]) == expected


@settings(deadline=None, max_examples=60)
@given(text=st.text(st.characters(codec="utf-8"), max_size=60))
def test_no_step_breaks_a_word_of_any_script_apart(text: str) -> None:
    """Letters and marks stay in their order, and a second time changes nothing."""
    for step in ("urls", "punctuation"):
        once = clean_text(text, [step])
        assert clean_text(once, [step]) == once
    kept = [c for c in clean_text(text, ["punctuation"]) if unicodedata.category(c)[0] in "LM"]
    assert kept == [c for c in text if unicodedata.category(c)[0] in "LM"]
