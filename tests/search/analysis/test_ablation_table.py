"""The pieces of an ablation's end: table, confusion matrix, worst rows."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import confusion_matrix, f1_score

from search.analysis import ablation_table, worst_rows
from search.report.figures import confusion
from spaces.factify import PAPER_ABLATION, PAPER_CLASSES


def cells(rows: int = 60, classes: int = 5) -> tuple[np.ndarray, list[ablation_table.Predictions]]:
    draw = np.random.default_rng(0)
    labels = np.arange(rows) % classes
    found = []
    for part in np.array_split(draw.permutation(rows), 3):
        given = draw.random((len(part), classes)).astype(np.float32)
        given[np.arange(len(part)), labels[part]] += 0.3
        found.append((np.sort(part), given / given.sum(axis=1, keepdims=True)))
    return labels, found


def test_a_row_is_the_mean_of_scikit_learns_scores() -> None:
    labels, found = cells()
    row = ablation_table.row("proposed", labels, found, PAPER_ABLATION["proposed"])
    pairs = [(labels[rows], given.argmax(axis=1)) for rows, given in found]
    by_class = np.mean([f1_score(*pair, average=None, labels=range(5)) for pair in pairs], axis=0)
    np.testing.assert_allclose(row.f1, by_class)
    weighted = [f1_score(*pair, average="weighted") for pair in pairs]
    assert row.weighted == pytest.approx(np.mean(weighted))
    assert row.std == pytest.approx(np.std(weighted, ddof=1))
    text = ablation_table.as_markdown([row], PAPER_CLASSES)
    head, _, line = text.splitlines()
    assert [name.strip() for name in head.split("|")[1:-1]] == [
        "Model", *PAPER_CLASSES, "Final", "std", "cells"
    ]  # fmt: skip
    numbers = re.findall(r"(\d\.\d{4}) \((\d\.\d{4})\)", line)
    assert [float(paper) for _, paper in numbers] == list(PAPER_ABLATION["proposed"])
    assert float(numbers[-1][0]) == pytest.approx(row.weighted, abs=5e-5)
    assert row.to_json()["paper"] == list(PAPER_ABLATION["proposed"])


def test_a_class_that_a_cell_does_not_hold_is_left_out_of_its_mean() -> None:
    labels = np.array([0, 1, 0, 1])
    sure = np.eye(3, dtype=np.float32)
    row = ablation_table.row("x", labels, [(np.array([0, 1]), sure[[0, 1]])])
    assert row.f1[:2] == (1.0, 1.0)
    assert np.isnan(row.f1[2])
    assert row.std is None
    assert row.to_json()["f1"][2] is None
    with pytest.raises(ValueError, match="no finished cell"):
        ablation_table.row("x", labels, [])


def test_the_papers_numbers_follow_the_datas_classes() -> None:
    turned = PAPER_CLASSES[::-1]
    row = ablation_table.paper_row("proposed", PAPER_ABLATION, PAPER_CLASSES, turned)
    assert row == (*PAPER_ABLATION["proposed"][4::-1], 0.7452)
    assert ablation_table.paper_row("proposed", PAPER_ABLATION, PAPER_CLASSES, ("a", "b")) is None
    assert ablation_table.paper_row("mine", PAPER_ABLATION, PAPER_CLASSES, turned) is None


def test_the_confusion_matrix_is_scikit_learns_and_is_drawn() -> None:
    draw = np.random.default_rng(1)
    labels, taken = draw.integers(4, size=50), draw.integers(3, size=50)
    counts = confusion.count(labels, taken, 4)
    np.testing.assert_array_equal(counts, confusion_matrix(labels, taken, labels=range(4)))
    picture = confusion.draw({"a title": counts}, ["a", "b", "c", "d"])
    with Image.open(io.BytesIO(picture.png)) as image:
        assert min(image.size) > 300
        assert len(set(image.convert("RGB").resize((60, 60)).get_flattened_data())) > 20
    with pytest.raises(ValueError, match=r"in \[0, 2\), got 0 to 3"):
        confusion.count(labels, taken, 2)
    with pytest.raises(ValueError, match="must agree"):
        confusion.count(labels, taken[:9], 4)


def test_the_worst_rows_are_those_sure_of_another_class() -> None:
    labels = np.array([0, 1, 1, 0])
    first = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.3, 0.7]], np.float32)
    second = np.array([[0.8, 0.2], [0.9, 0.1], [0.7, 0.3], [0.7, 0.3]], np.float32)
    rows = np.arange(4)
    found = worst_rows.worst(labels, [(rows, first), (rows, second)], top=9)
    assert [(row, taken, wrong, times) for row, taken, _, wrong, times in found] == [
        (1, 0, 2, 2), (2, 0, 1, 2), (3, 1, 1, 2),
    ]  # fmt: skip
    assert found[0][2] == pytest.approx(0.15)
    assert len(worst_rows.worst(labels, [(rows, first)], top=1)) == 1


def test_the_page_shows_texts_as_texts_and_small_copies_of_images(tmp_path: Path) -> None:
    Image.new("CMYK", (900, 500), (0, 200, 200, 0)).save(tmp_path / "a.jpg")
    row = worst_rows.WorstRow(
        row=7,
        text="<script>alert('x')</script> " + "word " * 200,
        text_b="a document",
        images=(tmp_path / "a.jpg", None),
        label="Refute",
        predicted="Support_Text",
        probability=0.0123,
        wrong=3,
        cells=4,
    )
    gone = worst_rows.WorstRow(**{**row.__dict__, "images": (tmp_path / "gone.jpg", None)})
    path = tmp_path / "worst.html"
    worst_rows.page([row, gone], "Worst & first", path)
    text = path.read_text(encoding="utf-8")
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "Worst &amp; first" in text
    assert text.count("data:image/jpeg;base64,") == 1
    assert text.count("no usable image") == 2
    assert "no longer there" in text
    assert "3 of 4" in text
    assert len(text) < 30_000
