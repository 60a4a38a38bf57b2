"""Word frequencies by part, of words of any script."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from trainables.analysis.word_frequency import as_markdown, draw, frequent_words
from trainables.engine.text_data import TextData, assemble


def data(official: list[str] | None) -> TextData:
    texts = ["Delhi cases, delhi", "दिल्ली में cases", "Minister's cases", "दिल्ली दिल्ली minister's"]
    return assemble(
        name="words",
        texts=texts,
        texts_b=["never counted"] * 4,
        labels=np.array([0, 1, 0, 1]),
        label_names=("a", "b"),
        official=None if official is None else np.array(official, np.str_),
    )


def test_words_of_claims_are_counted_by_part(tmp_path: Path) -> None:
    found = frequent_words(data(["train", "train", "test", "test"]), top=2)
    assert found == {
        "train": [("cases", 2), ("delhi", 2)],
        "test": [("minister's", 2), ("दिल्ली", 2)],
    }
    assert as_markdown(found).splitlines() == [
        "| train | times | test | times |",
        "| --- | --: | --- | --: |",
        "| cases | 2 | minister's | 2 |",
        "| delhi | 2 | दिल्ली | 2 |",
    ]
    draw(frequent_words(data(["train", "train", "test", "test"])), tmp_path / "words.png")
    with Image.open(tmp_path / "words.png") as image:
        assert image.size[0] > 600


def test_without_parts_all_rows_are_one() -> None:
    assert frequent_words(data(None))["all rows"][:2] == [("cases", 3), ("दिल्ली", 3)]
