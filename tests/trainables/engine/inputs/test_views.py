"""Views of texts: what a corpus holds, where a batch's views lie, and what is refused."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.engine import seeding
from trainables.engine.arrays import IntArray
from trainables.engine.errors import DataError
from trainables.engine.inputs.views import Offsets, View, corpus, in_epoch, masked
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
    assert found.offsets == Offsets(((0, 0),))
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


def test_spans_are_drawn_by_seed_epoch_and_row_and_by_nothing_else() -> None:
    found = corpus(data(), (View(drawn=True), View(masked=5, drawn=True)), "[MASK]")
    assert found.offsets.drawn
    rows = np.array([0, 2])

    def shown(seed: int, epoch: int, some: IntArray = rows) -> list[int]:
        return in_epoch(some, found.offsets, epoch, [seed]).tolist()

    assert all(shown(seed, 0)[:2] == [0, 2] for seed in range(9))
    assert len({tuple(shown(seed, 0)) for seed in range(9)}) > 4
    assert len({tuple(shown(2, epoch)) for epoch in range(9)}) > 4
    assert shown(2, 3) == shown(2, 3)
    # The batch, and the cells beside it, change nothing.
    assert shown(2, 3, np.array([2])) == shown(2, 3)[1::2]
    both = in_epoch(np.array([[0, 2], [2, 0]]), found.offsets, 3, [2, 16])
    assert both[0].tolist() == shown(2, 3)
    assert both[1].tolist() == shown(16, 3, np.array([2, 0]))
    seconds = {found.data.texts[shown(seed, 0)[2]] for seed in range(40)}
    assert len(seconds) > 4


def test_every_draw_is_as_likely() -> None:
    draws = seeding.row_draws(2, 0, np.arange(80_000), 8)
    # 10,000 of each are expected; the standard deviation is 94.
    assert np.abs(np.bincount(draws, minlength=8) - 10_000).max() < 400


def test_both_views_of_random_letters_are_of_one_draw() -> None:
    views = (View("letters", drawn=True), View("letters", masked=5, drawn=True))
    found = corpus(data(), views, "[MASK]")
    for seed in range(5):
        own, other = in_epoch(np.array([0]), found.offsets, 1, [seed])
        left, right = found.data.texts[other].split(" [MASK] ")
        assert found.data.texts[own].startswith(left)
        assert found.data.texts[own].endswith(right)


def test_a_partner_is_another_view_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "partners.csv"
    rows = [f"{text},against {text}" for text in TEXTS]
    file.write_text("\n".join(["text,text_b", *rows]))
    views = (View(), View("second"), View("partner", file=str(file)))
    found = corpus(data(second=True), views, None, ("further",))
    shown = [found.data.texts[row] for row in in_epoch(np.array([1]), found.offsets, 0)]
    assert shown == ["short", "other short", "against short"]
    file.write_text("\n".join(["text,text_b", *rows[:2]]))
    with pytest.raises(DataError, match="no partner of the text of data row 3 of three, 'a second"):
        corpus(data(), (View(), View("partner", file=str(file))), None)


def test_synonyms_differ_from_draw_to_draw(tmp_path: Path) -> None:
    file = tmp_path / "synonyms.csv"
    file.write_text("text,text_b\ntrade,commerce\ntrade,barter\nworks,labours\nlong,lengthy\n")
    view = View("synonyms", drawn=True, file=str(file))
    found = corpus(data(), (View(), view), None)
    wordings = {found.data.texts[row] for row in range(2, len(found.data), 3)}
    assert {text.rpartition(" ")[2] for text in wordings} <= {"trade", "commerce", "barter"}
    assert len(wordings) > 2


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
