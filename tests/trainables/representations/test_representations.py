"""Each representation is the sum that it says it is, and what it was fitted on is all it knows."""

from __future__ import annotations

import gzip
import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from transformers import AutoModel, AutoTokenizer

from tests.bad_tables import POINTER
from trainables.engine.contract import DataRef, Split
from trainables.engine.datasets.load import load_data
from trainables.engine.errors import VectorsError
from trainables.engine.features import extraction, representation, word_vectors
from trainables.engine.features.representation import Fitted, Representation
from trainables.engine.splits import folds
from trainables.engine.text_data import TextData

ROOT = Path(__file__).parents[3]
SPLIT = Split(folds=3)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDRACE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def data(reviews: Path) -> TextData:
    return load_data(DataRef(name=str(reviews), text="body", label="verdict"))


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    path = tmp_path / "vectors.txt"
    path.write_text("the 1 0 0\nfilm 0 2 0\ngood 0 0 3\nbad 1 1 1\n", encoding="utf-8")
    return path


def wanted(name: str, vectors: Path) -> Representation:
    return Representation(
        name=name,
        max_length=16 if representation.card_of(name).uses_encoder else None,
        vectors=str(vectors) if name in ("word2vec", "glove") else None,
    )


def test_the_eight_of_table_1_are_there_with_the_papers_accuracies() -> None:
    files = {p.stem for p in (ROOT / "trainables/representations").glob("[!_]*.py")}
    assert {name.replace("-", "_") for name in representation.names()} == files
    papers = [representation.card_of(name).paper for name in representation.names()]
    assert dict(sorted(paper for paper in papers if paper is not None)) == {
        "a": 0.892,
        "b": 0.901,
        "c": 0.891,
        "d": 0.887,
        "e": 0.888,
        "f": 0.89,
        "g": 0.886,
        "h": 0.969,
    }


# Pairs of texts and images have tests of their own, engine/test_pair_embeddings.py.
NO_SUM = ("encoder-first", "image-text-pairs")


@pytest.mark.parametrize("name", [n for n in representation.names() if n not in NO_SUM])
def test_features_are_the_sum_of_the_parts(
    name: str, data: TextData, tiny_encoder: Path, vectors: Path
) -> None:
    one = wanted(name, vectors)
    card = representation.card_of(name)
    if isinstance(card, Fitted):
        train, _ = folds.held_out(data, SPLIT, 2, 1)
        given, fitted = card.fit(extraction.fitted_counts(data, name), train)
        parts = list(card.fitted_parts(data.texts, fitted))
    else:
        given = extraction.load(data, str(tiny_encoder), one).numpy()
        found = card.parts(data.texts, str(tiny_encoder), one)
        assert found is not None
        parts = list(found)
    np.testing.assert_allclose(np.stack([p.features for p in parts]), given, atol=2e-6)
    for part in parts[::11]:
        for word, span in zip(part.words, part.spans, strict=True):
            assert span is None or word in (part.text[slice(*span)].lower(), "[UNK]")


def test_the_first_token_is_no_sum_over_parts(tiny_encoder: Path, vectors: Path) -> None:
    card = representation.card_of("encoder-first")
    assert not isinstance(card, Fitted)
    assert card.parts(["the film"], str(tiny_encoder), wanted("encoder-first", vectors)) is None


@pytest.mark.parametrize(
    ("name", "ngram", "stop"),
    [
        ("tfidf-unigram-nostop", 1, "english"),
        ("tfidf-unigram", 1, None),
        ("tfidf-bigram-nostop", 2, "english"),
        ("tfidf-bigram", 2, None),
    ],
)
@pytest.mark.parametrize("block", [(2, 0), (16, 2)])
def test_tfidf_is_scikit_learns_fitted_on_the_training_rows(
    data: TextData, name: str, ngram: int, stop: str | None, block: tuple[int, int]
) -> None:
    tables = extraction.tables(data, "none", Representation(name=name), SPLIT, [(7, 1), block])
    start = tables.offsets[block]
    train, _ = folds.held_out(data, SPLIT, *block)
    peer = TfidfVectorizer(ngram_range=(ngram, ngram), stop_words=stop, max_features=300)
    peer.fit([data.texts[row] for row in train])
    expected = peer.transform(data.texts).toarray()
    got = tables.values[start : start + len(data)].numpy()
    assert got.shape == (120, 300)
    np.testing.assert_allclose(got[:, : expected.shape[1]], expected, atol=1e-6)
    assert not got[:, expected.shape[1] :].any()


def test_tfidf_learns_nothing_from_held_out_texts(data: TextData) -> None:
    name = "tfidf-unigram"
    card = representation.card_of(name)
    assert isinstance(card, Fitted)
    train, held_out = folds.held_out(data, SPLIT, 2, 0)
    texts = list(data.texts)
    for row in held_out:
        texts[row] = "entirely other words " * 9
    other = replace(data, texts=tuple(texts), fingerprint="other")
    before, _ = card.fit(extraction.fitted_counts(data, name), train)
    after, _ = card.fit(extraction.fitted_counts(other, name), train)
    np.testing.assert_array_equal(before[train], after[train])


def test_words_without_a_vector_are_skipped_and_counted(tmp_path: Path, vectors: Path) -> None:
    path = tmp_path / "few.csv"
    rows = ["The film, good!", "nothing known", "good good bad", "film"]
    path.write_text("text,label\n" + "\n".join(f'"{t}",{i % 2}' for i, t in enumerate(rows)))
    data = load_data(DataRef(name=str(path)))
    made = extraction.extract(data, "none", Representation(name="glove", vectors=str(vectors)))
    # 'The' is found as 'the'; ',' and '!' and the second text have no vector: 4 of 11 words.
    expected = [[1 / 3, 2 / 3, 1], [0, 0, 0], [1 / 3, 1 / 3, 7 / 3], [0, 2, 0]]
    np.testing.assert_allclose(made.values, expected, atol=1e-6)
    assert made.facts == {"oov_share": 4 / 11, "no_known_word_share": 1 / 4}


def test_word_embeddings_are_the_matrix_alone(data: TextData, tiny_encoder: Path) -> None:
    got = extraction.load(
        data, str(tiny_encoder), Representation(name="word-embeddings", max_length=16)
    )
    matrix = AutoModel.from_pretrained(tiny_encoder).get_input_embeddings().weight.detach()
    ids = AutoTokenizer.from_pretrained(tiny_encoder)(data.texts[5])["input_ids"]
    torch.testing.assert_close(got[5], matrix[ids].mean(dim=0))


@pytest.mark.parametrize("kind", ["glove", "word2vec", "binary", "npz", "glove.gz", "binary.gz"])
def test_every_format_gives_the_same_vectors(kind: str, tmp_path: Path) -> None:
    words = ["the", "a", "übel", "12"]
    table = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    path = tmp_path / f"vectors.{kind}"
    rows = [f"{w} {' '.join(map(str, row))}" for w, row in zip(words, table, strict=True)]
    content = "\n".join(rows).encode() + b"\n"
    if kind.startswith("word2vec"):
        content = b"4 5\n" + content
    if kind.startswith("binary"):
        pairs = zip(words, table, strict=True)
        content = b"4 5\n" + b"".join(w.encode() + b" " + row.tobytes() + b"\n" for w, row in pairs)
    if kind.endswith(".gz"):
        content = gzip.compress(content)
    if kind == "npz":
        np.savez(path, words=np.array(words), vectors=table)
    else:
        path.write_bytes(content)
    keyed = word_vectors.load_vectors(str(path))
    assert list(keyed.key_to_index) == words
    np.testing.assert_allclose(keyed.vectors, table, rtol=1e-6)


def test_a_file_that_holds_no_vectors_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Dear reader,\nno vectors here.\n")
    with pytest.raises(VectorsError, match="no known format"):
        word_vectors.load_vectors(str(path))
    with pytest.raises(VectorsError, match="no file"):
        word_vectors.locate("no/such/file.bin")


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (POINTER, "git-lfs pointer.*git lfs pull"),
        (b"<!doctype html>\n<p>404", "a web page"),
        (gzip.compress(b"4 5\nfog 1 2 3 4 5\n" * 99, mtime=0)[:-12], "cannot be read"),
        (b"\x1f\x8b\x08\x00" + b"\x07" * 99, "cannot be read"),
        (b"999999999999999 300\n" + b"\xff\x01\x02" * 999, "cannot be read"),
    ],
)
def test_another_file_in_place_of_vectors_is_called_by_its_kind(
    content: bytes, wanted: str, tmp_path: Path
) -> None:
    path = tmp_path / "vectors.bin"
    path.write_bytes(content)
    with pytest.raises(VectorsError, match=wanted):
        word_vectors.load_vectors(str(path))


@pytest.mark.parametrize("reference", ["vectors.txt", "glove-wiki-gigaword-300"])
def test_without_gensim_the_extra_is_named(
    reference: str, vectors: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(vectors.parent)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(VectorsError, match=r"pip install 'foldrace\[vectors\]'"):
        word_vectors.fingerprint(reference)


def test_a_changed_file_has_features_of_its_own(data: TextData, vectors: Path) -> None:
    one = wanted("glove", vectors)
    first = extraction.load(data, "none", one)
    before = word_vectors.fingerprint(str(vectors))
    vectors.write_text(vectors.read_text().replace("film 0 2 0", "film 0 5 0"), encoding="utf-8")
    assert word_vectors.fingerprint(str(vectors)) != before
    extraction.extract.cache_clear()
    assert not torch.equal(extraction.load(data, "none", one), first)
