"""Folds: a partition, stratified, with copies on one side, the same on every machine."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.engine.contract import Split
from trainables.engine.errors import DataError
from trainables.engine.splits.folds import held_out
from trainables.engine.text_data import TextData, assemble


def made(
    labels: list[int], texts: list[str] | None = None, official: list[str] | None = None
) -> TextData:
    return assemble(
        name="made",
        texts=[f"text {i}" for i in range(len(labels))] if texts is None else texts,
        texts_b=None,
        labels=np.array(labels, np.int64),
        label_names=[f"class {i}" for i in range(max(labels) + 1)],
        official=None if official is None else np.array(official, np.str_),
    )


@st.composite
def labelled_copies(draw: st.DrawFn) -> tuple[TextData, int]:
    """Data with copies inside a class, every class with at least as many texts as folds."""
    folds = draw(st.integers(2, 6))
    labels: list[int] = []
    texts: list[str] = []
    for label in range(draw(st.integers(2, 4))):
        copies = draw(st.lists(st.sampled_from([1, 1, 1, 2, 3, 7]), min_size=folds, max_size=25))
        for number, count in enumerate(copies):
            labels += [label] * count
            texts += [f"text {label} {number}"] * count
    order = draw(st.permutations(range(len(labels))))
    return made([labels[i] for i in order], [texts[i] for i in order]), folds


@settings(max_examples=150, deadline=None)
@given(case=labelled_copies(), seed=st.sampled_from([2, 16, 128, 2048]))
def test_folds_are_a_level_partition_that_never_splits_copies(
    case: tuple[TextData, int], seed: int
) -> None:
    data, folds = case
    parts = [held_out(data, Split(folds=folds), seed, fold) for fold in range(folds)]
    assert np.array_equal(
        np.sort(np.concatenate([test for _, test in parts])), np.arange(len(data))
    )
    for train, test in parts:
        assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(len(data)))
        assert not np.intersect1d(data.groups[train], data.groups[test]).size
    counts = np.array([np.bincount(data.labels[test], minlength=9) for _, test in parts])
    for label in range(len(data.label_names)):
        sizes = np.unique(data.groups[data.labels == label], return_counts=True)[1]
        # Copies cannot be cut, so folds may differ by the largest group of a class, not by more.
        assert np.ptp(counts[:, label]) <= sizes.max()
        assert counts[:, label].min() >= 1


@settings(max_examples=60, deadline=None)
@given(
    labels=st.lists(st.integers(0, 3), min_size=40, max_size=200),
    texts=st.data(),
    share=st.floats(0.1, 0.5),
)
def test_copies_under_several_labels_stay_together(
    labels: list[int], texts: st.DataObject, share: float
) -> None:
    labels = [0, 1, 2, 3] * 3 + labels
    drawn = texts.draw(
        st.lists(st.integers(0, 30), min_size=len(labels) - 12, max_size=len(labels) - 12)
    )
    data = made(labels, [f"own {i}" for i in range(12)] + [f"text {number}" for number in drawn])
    for split, fold in ((Split(folds=3), 1), (Split(holdout=share), 0)):
        train, test = held_out(data, split, 16, fold)
        assert len(train) + len(test) == len(data)
        assert not np.intersect1d(data.groups[train], data.groups[test]).size


@pytest.mark.parametrize("folds", [2, 3, 5, 10])
def test_without_copies_classes_and_folds_are_level_to_one_row(folds: int) -> None:
    rng = np.random.default_rng(0)
    data = made([*range(7), *rng.choice(7, 993, p=[0.4, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05]).tolist()])
    counts = np.array(
        [
            np.bincount(data.labels[held_out(data, Split(folds=folds), 2, f)[1]])
            for f in range(folds)
        ]
    )
    assert np.ptp(counts, axis=0).max() <= 1
    assert np.ptp(counts.sum(axis=1)) <= 1


@pytest.mark.parametrize("split", [Split(folds=5), Split(holdout=0.2)], ids=["folds", "share"])
def test_another_seed_gives_other_folds_and_the_same_seed_the_same(split: Split) -> None:
    data = made([0, 1] * 50)
    again = made([0, 1] * 50)
    first = held_out(data, split, 2, 0)[1]
    assert np.array_equal(first, held_out(again, split, 2, 0)[1])
    assert not np.array_equal(first, held_out(data, split, 16, 0)[1])


def test_folds_are_the_same_in_another_process() -> None:
    data = made([0, 1, 2] * 20, [f"text {i // 2}" for i in range(60)])
    here = held_out(data, Split(folds=5), 128, 3)[1].tolist()
    code = (
        "import numpy as np\n"
        "from trainables.engine.contract import Split\n"
        "from trainables.engine.splits.folds import held_out\n"
        "from trainables.engine.text_data import assemble\n"
        "data = assemble(name='made', texts=[f'text {i // 2}' for i in range(60)], texts_b=None,"
        " labels=np.array([0, 1, 2] * 20), label_names=['a', 'b', 'c'], official=None)\n"
        "print(held_out(data, Split(folds=5), 128, 3)[1].tolist())\n"
    )
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == str(here)


def test_a_share_is_held_out_of_every_class() -> None:
    data = made([0] * 700 + [1] * 290 + [2] * 10)
    train, test = held_out(data, Split(holdout=0.2), 2, 0)
    assert np.bincount(data.labels[test]).tolist() == [140, 58, 2]
    assert len(train) == 800


@pytest.mark.parametrize("share", [0.01, 0.99])
def test_a_tiny_share_still_leaves_every_class_on_both_sides(share: float) -> None:
    data = made([0] * 50 + [1] * 2)
    for rows in held_out(data, Split(holdout=share), 2, 0):
        assert set(data.labels[rows]) == {0, 1}


def test_official_parts_leave_out_validation_and_trained_copies_of_test_texts() -> None:
    parts = ["train", "train", "valid", "test", "test", "train", "train"]
    texts = ["a", "b", "c", "d", "b ", "e", "f"]
    data = made([0, 1, 0, 1, 0, 1, 0], texts, parts)
    train, test = held_out(data, Split(holdout="official"), 2, 0)
    assert test.tolist() == [3, 4]
    assert train.tolist() == [0, 5, 6]


@pytest.mark.parametrize(
    ("official", "message"),
    [
        (None, "made has no official split"),
        (["train"] * 4, "needs the parts 'train' and 'test', made has: train 4"),
        (["train", "test", "train", "test"], r"no row of 1 of 2 classes \('class 1'\)"),
    ],
)
def test_an_official_split_must_be_there(official: list[str] | None, message: str) -> None:
    data = made([0, 1, 0, 1], official=official)
    with pytest.raises(DataError, match=message):
        held_out(data, Split(holdout="official"), 2, 0)


def test_a_class_with_fewer_rows_than_folds_is_refused_by_name() -> None:
    data = made([0] * 9 + [1] * 4 + [2])
    message = (
        r"needs at least 5 different texts for 5 folds: 'class 2' has 1 row, 'class 1' has 4 rows\."
    )
    with pytest.raises(DataError, match=message):
        held_out(data, Split(folds=5), 2, 0)


def test_a_class_with_enough_rows_but_few_texts_is_refused() -> None:
    data = made([0] * 9 + [1] * 9, [f"text {i}" for i in range(9)] + ["copy", "other"] * 4 + ["x"])
    with pytest.raises(DataError, match=r"'class 1' has 9 rows but 3 distinct"):
        held_out(data, Split(folds=5), 2, 0)


@pytest.mark.parametrize(
    ("split", "fold"), [(Split(folds=5), 5), (Split(folds=5), -1), (Split(holdout=0.2), 1)]
)
def test_there_is_no_other_fold(split: Split, fold: int) -> None:
    with pytest.raises(DataError, match=rf"fold must be in \[0, \d\), got {fold}"):
        held_out(made([0, 1] * 10), split, 2, fold)


def test_the_folds_of_seventy_thousand_rows_are_one_partition_that_parts_no_copies() -> None:
    rng = np.random.default_rng(0)
    texts = [f"text {i}" for i in rng.integers(0, 60_000, 70_000)]
    data = made(rng.integers(0, 2, 70_000).tolist(), texts)
    parts = [held_out(data, Split(folds=5), 2, fold)[1] for fold in range(5)]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(70_000))
    homes: dict[str, int] = {}
    for fold, part in enumerate(parts):
        assert all(homes.setdefault(texts[row], fold) == fold for row in part)


def test_a_class_that_is_another_in_capitals_is_told_so() -> None:
    data = dataclasses.replace(made([0] * 9 + [1]), label_names=("pos", "Pos"))
    with pytest.raises(DataError, match="'Pos' and 'pos' differ in capitals alone"):
        held_out(data, Split(folds=3), 2, 0)


def test_a_column_of_texts_as_labels_is_told_so() -> None:
    with pytest.raises(DataError, match=r"and 1 more classes\. Is the label column the right one"):
        held_out(made(list(range(6))), Split(folds=3), 2, 0)


@settings(max_examples=40, deadline=None)
@given(made_up=labelled_copies(), seed=st.integers(0, 3), drawn=st.data())
def test_a_cell_trains_on_drawn_rows_and_is_scored_on_the_same(
    made_up: tuple[TextData, int], seed: int, drawn: st.DataObject
) -> None:
    data, folds = made_up
    whole, test = held_out(data, Split(folds=folds), seed, 0)
    classes = len(data.label_names)
    rows = drawn.draw(st.integers(classes, len(whole)))
    train, scored = held_out(data, Split(folds=folds, train_rows=rows), seed, 0)
    assert scored.tolist() == test.tolist()
    assert train.tolist() == sorted(set(train.tolist()) & set(whole.tolist()))
    assert len(train) == rows
    counts = np.bincount(data.labels[train], minlength=classes)
    ideal = np.bincount(data.labels[whole], minlength=classes) * rows / len(whole)
    assert counts.min() >= 1
    # A class below one row is lifted to one, which the others pay for.
    assert (np.abs(counts - ideal) < 1 + classes).all()
    again, _ = held_out(data, Split(folds=folds, train_rows=rows), seed, 0)
    assert again.tolist() == train.tolist()


def test_seeds_and_folds_draw_other_training_rows() -> None:
    data, split = made([0, 1] * 500), Split(folds=5, train_rows=100)
    drawn = {tuple(held_out(data, split, seed, fold)[0]) for seed in (2, 16) for fold in range(5)}
    assert len(drawn) == 10
    # 100 of 1,000 rows are in each of two draws by chance 10 times, were they of one stream all.
    first, second = (held_out(data, split, seed, 0)[0] for seed in (2, 16))
    assert len(np.intersect1d(first, second)) < 30


def test_nothing_is_drawn_from_what_an_outer_fold_puts_away() -> None:
    data = made([0, 1] * 100)
    _, away = held_out(data, Split(folds=4), 2, 1)
    inner = Split(folds=4, outer=(2, 1), train_rows=40)
    for fold in range(4):
        train, test = held_out(data, inner, 16, fold)
        assert len(train) == 40
        assert not np.intersect1d(away, np.concatenate([train, test])).size
        assert len(test) in (37, 38)


@pytest.mark.parametrize(
    ("split", "most"),
    [
        (Split(folds=5), 80),
        (Split(holdout=0.4), 60),
        (Split(holdout="official"), 50),
        (Split(folds=5, outer=(2, 0)), 64),
    ],
)
def test_more_training_rows_than_there_are_are_refused(split: Split, most: int) -> None:
    data = made([0, 1] * 50, official=["train"] * 50 + ["test"] * 50)
    train, _ = held_out(data, dataclasses.replace(split, train_rows=most), 2, 0)
    assert len(train) == most
    too_many = dataclasses.replace(split, train_rows=most + 1)
    with pytest.raises(DataError, match=rf"{most + 1} training rows .* more than the {most} that"):
        held_out(data, too_many, 2, 0)
    with pytest.raises(DataError, match=r"1 training rows .* too few for the 2 classes"):
        held_out(data, dataclasses.replace(split, train_rows=1), 2, 0)


def test_a_split_without_drawn_rows_is_written_as_ever() -> None:
    assert Split(folds=5).to_json() == {"folds": 5, "holdout": None}
    drawn = Split(folds=5, train_rows=1000)
    assert drawn.to_json() == {"folds": 5, "holdout": None, "train_rows": 1000}
    assert Split(**drawn.to_json()) == drawn
    with pytest.raises(ValueError, match="train_rows must be at least 1, got 0"):
        Split(folds=5, train_rows=0)
