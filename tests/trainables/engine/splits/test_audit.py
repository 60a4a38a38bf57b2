"""The audit finds what was planted, and nothing in clean data."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from trainables.engine.splits.audit import audit
from trainables.engine.text_data import TextData, assemble


def made(
    texts: list[str],
    labels: list[int],
    official: list[str] | None = None,
    texts_b: list[str] | None = None,
    dropped: int = 0,
) -> TextData:
    return assemble(
        name="made",
        texts=texts,
        texts_b=texts_b,
        labels=np.array(labels, np.int64),
        label_names=["no", "yes"],
        official=None if official is None else np.array(official, np.str_),
        dropped=dropped,
        notes=("2 blank lines skipped",),
    )


def words(rows: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(f"w{i}" for i in rng.integers(0, 50, 12)) for _ in range(rows)]


def test_copies_contradictions_and_shared_texts_are_counted() -> None:
    texts = ["a", "a ", "b", "b", "c", "d"]
    parts = ["train", "test", "train", "valid", "valid", "test"]
    found = audit(made(texts, [0, 1, 0, 0, 1, 1], parts))
    assert found.duplicates == 2
    assert found.contradictions == 1
    assert found.shared == {"train|test": 1, "train|valid": 1}
    assert found.parts == {"train": 2, "test": 2, "valid": 2}
    assert found.classes == {"no": 3, "yes": 3}


def test_a_planted_token_is_found_with_its_purity_and_coverage() -> None:
    texts = words(400)
    labels = [i % 2 for i in range(400)]
    planted = [f"{text} (Reuters)" if i % 4 == 1 else text for i, text in enumerate(texts)]
    planted[0] += " (reuters)"
    tokens = {token.token: token for token in audit(made(planted, labels)).giveaways}
    found = tokens["(reuters)"]
    assert (found.label, found.rows) == ("yes", 101)
    assert found.purity == 100 / 101
    assert found.coverage == 0.5


def test_a_damaged_character_inside_words_is_a_token() -> None:
    texts = [f"{text}x�y{i}" if i % 2 else text for i, text in enumerate(words(200))]
    assert "�" in {t.token for t in audit(made(texts, [i % 2 for i in range(200)])).giveaways}


def test_clean_data_have_no_giveaway() -> None:
    found = audit(made(words(400), [i % 2 for i in range(400)]))
    assert (found.giveaways, found.duplicates, found.contradictions) == ((), 0, 0)


def test_the_second_text_of_a_pair_is_searched_too() -> None:
    seconds = [f"{text} leak" if i % 2 else text for i, text in enumerate(words(200, 1))]
    found = audit(made(words(200), [i % 2 for i in range(200)], texts_b=seconds))
    assert [token.token for token in found.giveaways] == ["leak"]
    assert found.words[0] == 24


def test_lines_say_what_was_found_and_json_holds_it() -> None:
    found = audit(made(["a", "a", "b c d"], [0, 1, 1], ["train", "test", "test"], dropped=4))
    text = "\n".join(found.lines())
    for part in (
        "3 rows; classes: yes 2, no 1",
        "longest 3",
        "official parts: train 1, test 2",
        "4 rows with a missing text or label were left out",
        "1 of 3 rows repeat",
        "1 text stands in rows of more than one label",
        "1 text stands in both parts train and test",
        "2 blank lines skipped",
    ):
        assert part in text
    assert json.loads(json.dumps(found.to_json()))["contradictions"] == 1


def test_ten_thousand_rows_take_less_than_three_seconds() -> None:
    data = made(words(10_000), [i % 2 for i in range(10_000)])
    start = time.process_time()
    audit(data)
    # Measured 0.3 s; the limit is that of the plan command.
    assert time.process_time() - start < 3


def test_classes_that_are_written_alike_are_named() -> None:
    data = assemble(
        name="d",
        texts=[f"text {number}" for number in range(6)],
        texts_b=None,
        labels=np.array([0, 1, 2, 0, 1, 2]),
        label_names=["Negative", "negative ", "positive"],
        official=None,
    )
    (line,) = [line for line in audit(data).lines() if "written alike" in line]
    assert "'Negative' and 'negative '" in line


def skewed(rows: int, few: int) -> list[int]:
    return [1 if row < few else 0 for row in range(rows)]


@pytest.mark.parametrize("seed", range(3))
def test_the_size_of_a_class_gives_no_token_away(seed: int) -> None:
    """In 99 of 100 rows of a class of 99%: what any word would have."""
    texts = [f"{text} small" if i % 5 else text for i, text in enumerate(words(500, seed))]
    assert audit(made(texts, skewed(500, 5))).giveaways == ()


def test_a_token_of_a_small_class_is_found_beside_a_large_one() -> None:
    texts = [f"{text} leak" if i < 40 else text for i, text in enumerate(words(4000))]
    (found,) = audit(made(texts, skewed(4000, 40))).giveaways
    assert (found.token, found.label, found.purity, found.coverage) == ("leak", "yes", 1, 1)


def test_texts_in_other_capitals_are_counted_apart_from_copies() -> None:
    found = audit(made(["Rain", "rain", "RAIN ", "rain", "sun", "fog"], [0, 0, 0, 0, 1, 1]))
    assert (found.duplicates, found.recased) == (1, 2)
    (line,) = [line for line in found.lines() if "capitals" in line]
    assert line.startswith("2 rows repeat an earlier text in other capitals")
    assert "uncased model" in line


def test_a_long_name_does_not_fill_the_screen() -> None:
    data = assemble(
        name="d",
        texts=["a", "b"],
        texts_b=None,
        labels=np.array([0, 1]),
        label_names=["x" * 250, "y"],
        official=None,
    )
    assert max(map(len, audit(data).lines())) < 200
