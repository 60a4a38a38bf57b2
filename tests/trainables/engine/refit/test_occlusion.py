"""Scores by erasure against their definition, on models whose probabilities are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.softtriple import SPACE
from tests.trainables.tasks import task_of
from trainables.analysis import cam
from trainables.engine.refit import occlusion
from trainables.engine.refit.linear_layer import LinearLayer
from trainables.engine.refit.new_rows import UnlabelledRows
from trainables.engine.text_data import ImageRef

WEIGHTS = {"good": 2.0, "bad": -3.0, "poor": -1.0}
DELHI = "\u0926\u093f\u0932\u094d\u0932\u0940"  # one word, whose vowel signs are marks
IMAGE = ImageRef("x.png", "0" * 64)


def bag(rows: UnlabelledRows) -> npt.NDArray[np.float32]:
    """Probabilities of two classes: a sigmoid of the words' weights, images and metadata."""
    seconds = rows.texts_b or [""] * len(rows)
    logits = []
    for row in range(len(rows)):
        words = f"{rows.texts[row]} {seconds[row]}".split()
        logit = sum(WEIGHTS.get(word, 0.0) for word in words)
        if rows.images is not None:
            logit += sum((0.5, 0.25)[place] for place in (0, 1) if rows.images[row][place])
        if rows.metadata is not None:
            logit += float(np.nan_to_num(rows.metadata[row]).sum())
        logits.append(logit)
    positive = 1 / (1 + np.exp(-np.array(logits)))
    return np.stack([1 - positive, positive], axis=1).astype(np.float32)


def whole(rows: UnlabelledRows) -> list[tuple[int, int]]:
    seconds = rows.texts_b or [""] * len(rows)
    return [(len(text), len(second)) for text, second in zip(rows.texts, seconds, strict=True)]


def log_p(logit: float) -> npt.NDArray[np.float64]:
    return np.array([-np.log1p(np.exp(logit)), -np.log1p(np.exp(-logit))])


def test_a_words_score_is_what_log_p_loses_without_it() -> None:
    (found,) = occlusion.parts(UnlabelledRows(["a good, bad film"]), (), whole, bag)
    assert found.words[:-1] == ("a", "good", "bad", "film")
    assert [found.text[slice(*span)] for span in found.spans if span] == list(found.words[:-1])
    # Without its neighbour's comma "good," would be no word: erasure leaves the comma.
    full = log_p(WEIGHTS["bad"])
    np.testing.assert_allclose(found.vectors[2], full - log_p(0.0), rtol=1e-5)
    np.testing.assert_allclose(found.vectors[0], 0.0, atol=1e-6)
    np.testing.assert_allclose(found.features, full, rtol=1e-5)


def test_images_second_texts_and_metadata_are_taken_out_too() -> None:
    rows = UnlabelledRows(
        ["good film"], ["poor plot"], [(IMAGE, IMAGE)], np.array([[0.75, np.nan, -0.5]])
    )
    (found,) = occlusion.parts(rows, ("likes", "shares", "age"), whole, bag)
    assert found.words == (
        *("good", "film", "poor", "plot", "[image]", "[second image]", "[likes]", "[age]", ""),
    )
    total = 2.0 - 1.0 + 0.75 + 0.75 - 0.5
    parts = {"good": 2.0, "poor": -1.0, "[image]": 0.5, "[likes]": 0.75, "[age]": -0.5}
    for name, weight in parts.items():
        at = found.words.index(name)
        np.testing.assert_allclose(
            found.vectors[at], log_p(total) - log_p(total - weight), rtol=1e-4, err_msg=name
        )
    shown = cam.words(found, np.zeros(len(found.words)))
    assert found.text == "good film\n\npoor plot"
    assert [found.text[slice(*word.span)] for word in shown if word.span] == [
        *("good", "film", "poor", "plot")
    ]


@given(
    st.lists(
        st.sampled_from(
            [*WEIGHTS, "the", "it's", "#tag", "-", "\u0926\u093f\u0932\u094d\u0932\u0940"]
        ),
        max_size=8,
    )
)
def test_parts_add_up_to_the_log_probabilities_and_a_layer_gives_these_back(
    words: list[str],
) -> None:
    rows = UnlabelledRows([" ".join(words)])
    (found,) = occlusion.parts(rows, (), whole, bag)
    assert len(found.words) <= occlusion.size(rows)[0]
    probabilities = bag(rows)[0]
    np.testing.assert_allclose(found.features, np.log(probabilities), atol=1e-4)
    layer = LinearLayer(np.eye(2, dtype=np.float32), np.zeros(2, np.float32))
    np.testing.assert_allclose(layer.probabilities(found), probabilities, atol=1e-4)
    np.testing.assert_allclose(layer.centred().probabilities(found), probabilities, atol=1e-4)


@pytest.mark.parametrize("pair", [False, True])
def test_only_what_the_model_reads_is_erased(pair: bool, tiny_encoder: Path, reviews: Path) -> None:
    task = task_of("triple_entropy", tiny_encoder, name=str(reviews), text="body", label="verdict")
    config = {**SPACE.complete(SPACE.references["paper-best"]), "max_length": 6}
    text, second = "good film bad plot poor story good", "bad film"
    rows = UnlabelledRows([text, "good"], [second, second] if pair else None)
    read = occlusion.ends(task, config)(rows)
    # [CLS] and [SEP] take two of six tokens; a pair shares them, the longer text is cut.
    assert read[1] == (4, 8 if pair else 0)
    if not pair:
        assert text[: read[0][0]] == "good film bad plot"
    (found, _) = occlusion.parts(rows, (), occlusion.ends(task, config), bag)
    assert found.cut
    assert found.words[-1] == ""
    assert "story" not in found.words
