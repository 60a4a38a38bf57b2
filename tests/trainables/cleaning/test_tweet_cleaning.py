"""The two steps of section 3.1, on its own examples and on what tweets look like."""

from __future__ import annotations

import pytest

from spaces.tweets import SPACE
from trainables.cleaning import hash_signs, mentions, none
from trainables.engine.datasets.cleaning import clean_text


def test_the_papers_hash_signs_go_and_their_words_stay() -> None:
    text = "This is an #example of a #tweet with #hashtags within the #text"
    given = "This is an example of a tweet with hashtags within the text"
    assert hash_signs.CLEANING(text) == given


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("@username1, @username2, @username3 test message", "username test message"),
        ("thanks @ann and @bob_2 !", "thanks username and username !"),
        ("RT @ann: so true", "RT username: so true"),
        (".@ann's talk", ".username's talk"),
        ("@ann@bob hi", "username hi"),
        ("write to ann@example.org", "write to ann@example.org"),
        ("5 @ 3", "5 @ 3"),
        ("\N{FULLWIDTH COMMERCIAL AT}ann hello", "username hello"),
        ("@ann\n@bob hi", "username hi"),
    ],
)
def test_mentions_become_one_username(text: str, given: str) -> None:
    assert mentions.CLEANING(text) == given


@pytest.mark.parametrize("step", [hash_signs.CLEANING, mentions.CLEANING, none.CLEANING])
def test_a_step_has_nothing_to_do_on_its_own_result(step: object) -> None:
    text = "#a @b, @c d# \N{FULLWIDTH NUMBER SIGN}e @f"
    assert callable(step)
    once = step(text)
    assert step(once) == once


def test_the_space_takes_both_steps_in_the_papers_order() -> None:
    assert SPACE.cleaning == ("hash-signs", "mentions")
    assert clean_text("@a, @b say #hello", SPACE.cleaning) == "username say hello"
