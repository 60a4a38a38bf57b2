"""Equation 2: the scores of a text's words add up to its logit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spaces.linear_eval import SPACE as LINEAR
from spaces.smoke import SPACE as SMOKE
from trainables.analysis import cam, cam_page, cam_words
from trainables.analysis.cam import Word
from trainables.engine.contract import DataRef, Split, Task
from trainables.engine.datasets.load import load_data
from trainables.engine.errors import NoMapError
from trainables.engine.features.representation import Parts
from trainables.engine.models import pretrained
from trainables.engine.refit import attribution
from trainables.engine.refit.attribution import Reader
from trainables.engine.refit.linear_layer import LinearLayer
from trainables.engine.text_data import TextData


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDRACE_CACHE", str(tmp_path / "cache"))
    torch.set_num_threads(1)


@pytest.fixture
def data(reviews: Path) -> TextData:
    return load_data(DataRef(name=str(reviews), text="body", label="verdict"))


def reader(
    data: TextData, reviews: Path, tiny_encoder: Path, trainable: str, config: dict[str, Any]
) -> Reader:
    model = str(tiny_encoder)
    task = Task(
        trainable=trainable,
        version=1,
        data=DataRef(name=str(reviews), text="body", label="verdict"),
        data_fingerprint=data.fingerprint,
        model=model,
        model_fingerprint=pretrained.model_fingerprint(model),
        split=Split(folds=3),
    )
    return attribution.refit(task, data, config, seed=2)


def linear(vectors: Path, name: str, **change: Any) -> dict[str, Any]:
    start = LINEAR.complete({**LINEAR.references["tf-idf"], "representation": name})
    files = {"word2vec": str(vectors), "glove": str(vectors)}
    return {**start, "max_length": 16, **files, **change}


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    path = tmp_path / "vectors.txt"
    path.write_text("the 1 0 0\nfilm 0 2 0\ngood 0 0 3\nbad 1 1 1\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("name", LINEAR.axes[0].values)
@pytest.mark.parametrize("label", [0, 1])
def test_scores_add_up_to_the_logit_without_bias_times_the_length(
    name: str, label: int, data: TextData, reviews: Path, tiny_encoder: Path, vectors: Path
) -> None:
    given = reader(data, reviews, tiny_encoder, "linear_eval", linear(vectors, name))
    for parts in given.parts(data.texts[:20]):
        total = cam.scores(parts, given.layer)[label].sum()
        logit = given.layer.logits(parts)[label] - given.layer.bias[label]
        assert total == pytest.approx(parts.divisor * logit, abs=1e-4)


def test_a_fine_tuned_encoder_is_read_as_it_classifies(
    data: TextData, reviews: Path, tiny_encoder: Path
) -> None:
    change = {"pooling": "mean", "max_length": 16, "epochs": 1, "learning_rate": 1e-3}
    config = {**SMOKE.complete(SMOKE.references["cross-entropy"]), **change}
    given = reader(data, reviews, tiny_encoder, "triple_entropy", config)
    for parts in given.parts(data.texts[:3]):
        assert (parts.words[0], parts.words[-1]) == ("[CLS]", "[SEP]")
        total = cam.scores(parts, given.layer).sum(axis=1)
        logits = given.layer.logits(parts) - given.layer.bias
        np.testing.assert_allclose(total, parts.divisor * logits, atol=1e-4)
    # It has learnt something: what it reads is the trained network, not the pretrained one.
    fresh = pretrained.load_encoder(str(tiny_encoder))
    assert fresh.training is False
    inputs = pretrained.load_tokenizer(str(tiny_encoder))(data.texts[0], return_tensors="pt")
    with torch.no_grad():
        before = fresh(**inputs).last_hidden_state[0].numpy()
    assert not np.allclose(next(given.parts(data.texts[:1])).vectors, before, atol=1e-3)


def _praise(parts: Parts, given: Reader) -> list[Word]:
    scores = cam.scores(parts, given.layer.centred())[1]
    return [word for word in cam.words(parts, scores) if word.text == "great"]


def test_long_trained_scores_name_the_words_that_tell_the_class(
    data: TextData, reviews: Path, tiny_encoder: Path, vectors: Path
) -> None:
    config = linear(vectors, "tfidf-unigram", learning_rate=0.1, epochs=30)
    given = reader(data, reviews, tiny_encoder, "linear_eval", config)
    found = cam_words.aggregate(
        given.parts(data.texts), given.layer.centred(), data.label_names, least_texts=None, most=6
    )
    assert (found.texts, found.cut, found.least_texts) == (120, 0, 3)
    ranked = found.ranked
    assert {row.word for row in ranked["praise"]} == {
        *("good", "great", "fine", "lovely", "superb", "warm")
    }
    assert {row.word for row in ranked["blame"]} == {
        *("bad", "awful", "poor", "dull", "cold", "weak")
    }
    (great,) = [row for row in ranked["praise"] if row.word == "great"]
    own = [word.score for parts in given.parts(data.texts) for word in _praise(parts, given)]
    assert great.mean == pytest.approx(sum(own) / len(own), abs=1e-6)
    assert great.count == great.texts == len(own) == sum(" great " in f" {t} " for t in data.texts)
    means = [row.mean for row in ranked["praise"]]
    assert means == sorted(means, reverse=True)


def test_centring_changes_no_probability_and_takes_off_what_classes_share() -> None:
    draw = np.random.default_rng(0)
    layer = LinearLayer(
        draw.normal(size=(3, 4)).astype(np.float32), draw.normal(size=3).astype(np.float32)
    )
    parts = Parts(
        words=("a", "b"),
        spans=((0, 1), (2, 3)),
        groups=(0, 1),
        vectors=draw.normal(size=(2, 4)).astype(np.float32),
        divisor=2.0,
        text="a b",
    )
    np.testing.assert_allclose(
        layer.centred().probabilities(parts), layer.probabilities(parts), rtol=1e-5
    )
    np.testing.assert_allclose(cam.scores(parts, layer.centred()).sum(axis=0), 0, atol=1e-6)


def test_pieces_are_joined_to_words_and_specials_left_out() -> None:
    parts = Parts(
        words=("[CLS]", "obama", "##care", "now", "[SEP]"),
        spans=(None, (0, 5), (5, 9), (10, 13), None),
        groups=(-1, 0, 0, 1, -1),
        vectors=np.zeros((5, 2), np.float32),
        divisor=5.0,
        text="Obamacare now",
    )
    found = cam.words(parts, np.array([9.0, 1.0, 0.5, -2.0, 7.0]))
    assert found == [Word("Obamacare", (0, 9), 1.5), Word("now", (10, 13), -2.0)]


@pytest.mark.parametrize(("count", "red"), [(1, 1), (9, 1), (10, 1), (25, 2), (26, 3), (0, 0)])
def test_a_tenth_of_the_words_is_red(count: int, red: int) -> None:
    words = [Word(str(i), None, float(i % 7)) for i in range(count)]
    chosen = cam.marked(words)
    assert len(chosen) == red
    others = [w.score for i, w in enumerate(words) if i not in chosen]
    assert all(words[i].score >= max(others, default=-1) for i in chosen)


def test_a_cut_text_says_so_and_its_page_holds_no_markup_of_its_own(
    data: TextData, reviews: Path, tiny_encoder: Path, vectors: Path
) -> None:
    given = reader(data, reviews, tiny_encoder, "linear_eval", linear(vectors, "encoder-mean"))
    text = "the film <script> & good " * 9
    (parts,) = given.parts([text])
    assert parts.cut
    words = cam.words(parts, cam.scores(parts, given.layer)[0])
    shown = cam_page.Marked(text, words, "praise", 0.5, cut=parts.cut)
    assert f"its first {shown.read} of {len(text)} characters" in shown.cut_note()
    assert "".join(piece for piece, _, _ in shown.pieces()) == text[: shown.read]
    page = cam_page.page("a & b", [shown])
    assert "<script" not in page
    assert "&lt;" in page
    assert "is cut" in page
    (whole,) = given.parts(["the film was good"])
    assert not whole.cut


def test_what_has_no_map_says_what_to_do(
    data: TextData, reviews: Path, tiny_encoder: Path, vectors: Path
) -> None:
    with pytest.raises(NoMapError, match="use encoder-mean"):
        reader(data, reviews, tiny_encoder, "linear_eval", linear(vectors, "encoder-first"))
    config = {**SMOKE.complete(SMOKE.references["cross-entropy"]), "pooling": "cls"}
    with pytest.raises(NoMapError, match="--fix pooling=mean"):
        reader(data, reviews, tiny_encoder, "triple_entropy", config)
    with pytest.raises(NoMapError, match="linear_eval"):
        reader(data, reviews, tiny_encoder, "projection", {})
