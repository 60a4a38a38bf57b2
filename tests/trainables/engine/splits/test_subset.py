"""Subsets are stratified, fixed, and in the order of the source."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.engine.errors import DataError
from trainables.engine.splits.subset import draw_subset, training_part
from trainables.engine.text_data import TextData, assemble


def made(labels: list[int], official: list[str] | None = None) -> TextData:
    return assemble(
        name="made",
        texts=[f"{i:06}" for i in range(len(labels))],
        texts_b=None,
        labels=np.array(labels, np.int64),
        label_names=[f"class {i}" for i in range(max(labels) + 1)],
        official=None if official is None else np.array(official, np.str_),
    )


@settings(max_examples=80, deadline=None)
@given(labels=st.lists(st.integers(0, 4), min_size=1, max_size=120), drawn=st.data())
def test_every_class_keeps_its_share_and_at_least_one_row(
    labels: list[int], drawn: st.DataObject
) -> None:
    data = made([0, 1, 2, 3, 4, *labels])
    rows = drawn.draw(st.integers(5, len(data)))
    subset = draw_subset(data, rows)
    assert len(subset) == rows
    counts = np.bincount(subset.labels, minlength=5)
    ideal = np.bincount(data.labels) * rows / len(data)
    assert counts.min() >= 1
    # A class below one row is lifted to one, which the others pay for, at most 4 rows in all.
    assert (np.abs(counts - ideal) < 1 + 4).all()
    assert list(subset.texts) == sorted(subset.texts)


def test_shares_are_exact_where_rows_allow() -> None:
    subset = draw_subset(made([0] * 600 + [1] * 300 + [2] * 100), 100)
    assert np.bincount(subset.labels).tolist() == [60, 30, 10]


def test_official_parts_keep_their_share_inside_a_class() -> None:
    parts = ["train", "train", "train", "test"] * 100
    subset = draw_subset(made([0, 1] * 200, parts), 80)
    assert subset.official is not None
    assert np.sum(subset.official == "test") == 20


def test_a_draw_is_always_the_same_and_knows_its_contents() -> None:
    data = made([0, 1] * 100)
    one, two = draw_subset(data, 50, "made-50"), draw_subset(data, 50)
    assert one.texts == two.texts
    assert one.fingerprint == two.fingerprint != data.fingerprint
    assert one.name == "made-50"


def test_all_rows_are_the_data_themselves() -> None:
    data = made([0, 1] * 5)
    assert draw_subset(data, 10) is data


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (11, "11 rows is larger than made, which has 10 rows"),
        (1, "1 rows is too small for the 2 classes of made: ask for at least 2"),
        (0, "0 rows is too small"),
    ],
)
def test_impossible_sizes_are_refused(rows: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        draw_subset(made([0, 1] * 5), rows)


def test_a_training_part_is_taken_alone() -> None:
    data = made([0, 1] * 4, ["train", "train", "valid", "valid", "test", "test", "train", "train"])
    assert training_part(data, ("train",)).texts == tuple(data.texts[i] for i in (0, 1, 6, 7))
    assert len(training_part(data, ("train", "valid"))) == 6


@pytest.mark.parametrize(
    ("official", "said"), [(None, "no column 'split'"), (["test"] * 4, "no such row")]
)
def test_data_without_a_training_part_are_refused(official: list[str] | None, said: str) -> None:
    with pytest.raises(DataError, match=f"no official training part .{said}"):
        training_part(made([0, 1, 0, 1], official), ("train",))
