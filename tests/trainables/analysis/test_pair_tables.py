"""Tables of pairs: similarity, lexicons, and the sets whose mean is reported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from trainables.analysis import pair_tables
from trainables.analysis.pair_tables import Lexicon, ScoredPairs
from trainables.engine.errors import DataError
from trainables.engine.features import named_files, table_folders

DRAW = np.random.default_rng(0)


def test_pairs_are_judged_by_rank_alignment_and_area() -> None:
    first, second = DRAW.normal(size=(2, 40, 6))
    scores = np.array([0, 5] * 20) + 0.0
    pairs = ScoredPairs(("a",) * 40, ("b",) * 40, tuple(scores))
    found = pairs.figures(np.concatenate([first, second]).astype(np.float32))
    unit = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in (first, second)]
    cosines = (unit[0] * unit[1]).sum(axis=1)
    assert found["auc"] == pytest.approx(roc_auc_score(scores > 2, cosines), abs=1e-12)
    # SimCSE's positives score above 4 of 5.
    apart = np.square(unit[0] - unit[1]).sum(axis=1)[scores == 5]
    assert found["pair_alignment"] == pytest.approx(apart.mean(), rel=1e-5)
    assert found["spearman"] == pairs.spearman(first, second)


def test_more_than_two_scores_have_no_area() -> None:
    pairs = ScoredPairs(("a",) * 3, ("b",) * 3, (1.0, 2.0, 3.0))
    assert "auc" not in pairs.figures(DRAW.normal(size=(6, 4)))


def test_a_lexicon_is_looked_up_among_all_second_texts() -> None:
    lexicon = Lexicon(("dog", "cat", "bird"), ("Hund", "Katze", "Vogel"), ((0,), (1,), (2,)))
    candidates = np.eye(3)
    # dog is nearest to its own; cat is second; bird is last.
    queries = np.array([[3.0, 1, 0], [2, 1, 0], [2, 1, 0.5]])
    found = lexicon.figures(np.concatenate([queries, candidates]))
    assert found == {
        "accuracy_at_1": pytest.approx(1 / 3),
        "accuracy_at_5": 1.0,
        "reciprocal_rank": pytest.approx((1 + 1 / 2 + 1 / 3) / 3),
    }


def test_one_direction_for_all_is_no_success() -> None:
    lexicon = Lexicon(("a", "b"), ("c", "d"), ((0,), (1,)))
    assert lexicon.figures(np.ones((4, 3)))["accuracy_at_1"] == 0.0


def write(path: Path, *rows: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_names_of_one_concept_are_all_right_and_candidates_may_stand_alone(tmp_path: Path) -> None:
    file = write(
        tmp_path / "entities.csv",
        "text,text_b,concept",
        "heart attack,myocardial infarction,C1",
        ",cardiac infarction,C1",
        "flu,influenza,C2",
        ",measles,C3",
    )
    ((name, lexicon),) = pair_tables.read_tables(str(file))
    assert name == "entities"
    assert isinstance(lexicon, Lexicon)
    assert lexicon.queries == ("heart attack", "flu")
    assert lexicon.candidates == (
        "myocardial infarction", "cardiac infarction", "influenza", "measles"
    )  # fmt: skip
    assert lexicon.right == ((0, 1), (2,))


def test_a_word_may_have_several_translations(tmp_path: Path) -> None:
    file = write(tmp_path / "de.tsv", "text\ttext_b", "bank\tBank", "bank\tUfer", "dog\tHund")
    ((_, lexicon),) = pair_tables.read_tables(str(file))
    assert isinstance(lexicon, Lexicon)
    assert lexicon.right == ((0, 1), (2,))


def scored(folder: Path, *names: str) -> None:
    for number, name in enumerate(names):
        rows = [f"{name} {row},other {row},{(row * (number + 2)) % 5}" for row in range(6)]
        write(folder / f"{name}.csv", "text,text_b,score", *rows)


def test_a_folder_gives_each_set_and_their_mean(tmp_path: Path) -> None:
    scored(tmp_path, "one", "two")
    tables = pair_tables.read_tables(str(tmp_path))
    features = DRAW.normal(size=(24, 5))
    found = pair_tables.figures(tables, features)
    each = [tables[n][1].figures(features[12 * n : 12 * n + 12])["spearman"] for n in range(2)]
    assert (found["spearman_one"], found["spearman_two"]) == tuple(each)
    assert found["spearman"] == pytest.approx(np.mean(each))


def test_sts_means_seven_sets_and_names_what_is_lacking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FOLDRACE_DATA", raising=False)
    with pytest.raises(DataError, match="FOLDRACE_DATA, which is not set"):
        pair_tables.read_tables("sts")
    monkeypatch.setenv("FOLDRACE_DATA", str(tmp_path))
    scored(tmp_path / "sts", *table_folders.STS_SETS[:5], "beside")
    with pytest.raises(DataError, match=r"each of 7 sets in .*; it lacks stsb, sickr"):
        pair_tables.read_tables("sts")
    scored(tmp_path / "sts", *table_folders.STS_SETS)
    assert [name for name, _ in pair_tables.read_tables("sts")] == list(table_folders.STS_SETS)


def test_a_folder_counts_by_its_tables_wherever_it_lies(tmp_path: Path) -> None:
    for copy in ("here", "there"):
        scored(tmp_path / copy, "one", "two")
    here, there = (named_files.resolve(str(tmp_path / name)) for name in ("here", "there"))
    assert here == str(tmp_path / "here")
    assert named_files.fingerprint(here) == named_files.fingerprint(there)
    scored(tmp_path / "there", "two")
    assert named_files.fingerprint(here) != named_files.fingerprint(there)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (("text,text_b,score", "a,b,high"), "a pair's score must be a number, got 'high'"),
        (("text,other", "a,b"), "has no column 'text_b'"),
        (("text,text_b,score", "a,,1"), "column 'text_b' has no text"),
        (("text,text_b", "a,b"), "at least 2 different second texts"),
    ],
)
def test_a_table_with_a_fault_is_named(tmp_path: Path, rows: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        pair_tables.read_tables(str(write(tmp_path / "pairs.csv", *rows)))
