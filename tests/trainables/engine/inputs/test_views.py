"""Views of texts: what a corpus holds, where a batch's views lie, and what is refused."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.engine.errors import DataError
from trainables.engine.inputs.views import View, corpus, in_epoch, masked
from trainables.engine.text_data import TextData, assemble

TEXTS = [
    "economist Paul Krugman mainly works on trade models",
    "short",
    "a second long text about trade",
]


def data(second: bool = False) -> TextData:
    return assemble(
        name="three",
        texts=TEXTS,
        texts_b=["other " + text for text in TEXTS] if second else None,
        labels=np.array([0, 1, 0]),
        label_names=("a", "b"),
        official=None,
    )


def test_views_by_dropout_are_the_same_rows_twice() -> None:
    found = corpus(data(), (View(), View()), None)
    assert found.data == data()
    assert found.offsets == ((0, 0),)
    assert in_epoch(np.array([2, 0]), found.offsets, 7).tolist() == [2, 0, 2, 0]
    cells = in_epoch(np.array([[2, 0], [1, 1]]), found.offsets, 0)
    assert cells.tolist() == [[2, 0, 2, 0], [1, 1, 1, 1]]


def test_a_masked_view_is_drawn_anew_each_epoch_and_is_the_same_on_every_machine() -> None:
    found = corpus(data(), (View(), View(masked=5)), "[MASK]")
    assert found.data.texts[:3] == tuple(TEXTS)
    views = [in_epoch(np.array([0]), found.offsets, epoch) for epoch in range(5)]
    assert all(own == 0 for own, _ in views)
    seconds = [found.data.texts[other] for _, other in views]
    assert len(set(seconds[:4])) > 1
    assert seconds[4] == seconds[0]
    assert seconds[0] == "economist Paul [MASK] man mainly works on trade models"
    short = in_epoch(np.array([1]), found.offsets, 0)[1]
    assert found.data.texts[short] == "short"
    assert found.data.labels.tolist() == data().labels.tolist() * 5


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=60), st.integers(1, 9), st.integers(0, 99))
def test_masking_takes_one_span_and_leaves_the_rest(text: str, span: int, seed: int) -> None:
    given = masked(text, span, "\N{BULLET}", random.Random(seed))
    if len(text) < 30:
        assert given == text
        return
    left, right = given.replace(" \N{BULLET} ", "\0\0", 1).split("\0\0", 1)
    assert text.startswith(left)
    assert text.endswith(right)
    assert len(left) + len(right) == len(text) - span


def test_random_letters_keep_the_lengths_of_words_and_both_views_are_of_one_string() -> None:
    found = corpus(data(), (View("letters"), View("letters", masked=5)), "[MASK]")
    own, other = in_epoch(np.array([0]), found.offsets, 0)
    string, spanned = found.data.texts[own], found.data.texts[other]
    assert [len(word) for word in string.split()] == [len(word) for word in TEXTS[0].split()]
    assert not set(string.split()) & set(TEXTS[0].split())
    left, right = spanned.split(" [MASK] ")
    assert string.startswith(left)
    assert string.endswith(right)


def test_a_second_text_is_a_view_and_no_longer_half_of_a_pair() -> None:
    found = corpus(data(second=True), (View(), View("second")), None)
    assert found.data.texts_b is None
    own, other = in_epoch(np.array([2]), found.offsets, 3)
    assert found.data.texts[other] == "other " + found.data.texts[own]


def test_further_texts_lie_behind_all_views() -> None:
    found = corpus(data(), (View(), View(masked=5)), "[MASK]", ("one", "two"))
    assert [found.data.texts[row] for row in found.further] == ["one", "two"]
    assert len(found.data) == 3 * 5 + 2


@pytest.mark.parametrize(
    ("second", "views", "mask", "further", "message"),
    [
        (False, (View(), View("second")), None, (), "give its column with --text-b"),
        (True, (View(),), None, ("one",), "Leave pairs=none"),
        (False, (View(), View(masked=5)), None, (), "no mask token"),
    ],
)
def test_views_that_cannot_be_are_refused(
    second: bool, views: tuple[View, ...], mask: str | None, further: tuple[str, ...], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        corpus(data(second), views, mask, further)
