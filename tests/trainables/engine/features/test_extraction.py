"""Cached features are what the encoder gives for each text on its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from trainables.engine.contract import DataRef
from trainables.engine.datasets.load import load_data
from trainables.engine.features import extraction
from trainables.engine.features.extraction import Representation
from trainables.engine.models import pretrained
from trainables.engine.text_data import TextData


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FOLDRACE_CACHE", str(tmp_path / "cache"))
    extraction.extract.cache_clear()
    return tmp_path / "cache"


@pytest.fixture
def data(reviews: Path) -> TextData:
    return load_data(DataRef(name=str(reviews), text="body", label="verdict"))


@pytest.mark.parametrize("name", ["encoder-mean", "encoder-first"])
def test_they_are_the_encoders_own(data: TextData, tiny_encoder: Path, name: str) -> None:
    got = extraction.load(data, str(tiny_encoder), Representation(name=name, max_length=16))
    assert got.shape == (120, 32)
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    model = AutoModel.from_pretrained(tiny_encoder).eval()
    for row in range(0, 120, 17):
        # One text at a time: nothing is padded, so no padding can have been counted.
        inputs = tokenizer(data.texts[row], return_tensors="pt", truncation=True, max_length=16)
        with torch.no_grad():
            hidden = model(**inputs).last_hidden_state[0]
        expected = hidden.mean(dim=0) if name == "encoder-mean" else hidden[0]
        torch.testing.assert_close(got[row], expected, rtol=1e-4, atol=1e-5)


def test_the_encoder_runs_once_per_data_and_model(
    data: TextData, tiny_encoder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = Representation(name="encoder-mean", max_length=16)
    first = extraction.load(data, str(tiny_encoder), wanted)
    extraction.extract.cache_clear()  # as in another process

    def never(*_: object) -> None:
        raise AssertionError("the encoder ran again")

    monkeypatch.setattr(pretrained, "load_encoder", never)
    again = extraction.load(data, str(tiny_encoder), wanted)
    assert torch.equal(first, again)
    assert len(list(cache.glob("features/*.npy"))) == 1
    with pytest.raises(AssertionError, match="ran again"):
        extraction.load(data, str(tiny_encoder), Representation(name="encoder-mean", max_length=5))


def test_changed_data_have_features_of_their_own(
    data: TextData, tiny_encoder: Path, cache: Path
) -> None:
    wanted = Representation(name="encoder-mean", max_length=16)
    whole = extraction.load(data, str(tiny_encoder), wanted)
    part = extraction.load(data.take(np.arange(5, 30)), str(tiny_encoder), wanted)
    torch.testing.assert_close(part, whole[5:30], rtol=1e-4, atol=1e-5)
    assert len(list(cache.glob("features/*.npy"))) == 2


def test_a_cut_off_writer_leaves_no_features_behind(
    data: TextData, tiny_encoder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(file: object, values: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise KeyboardInterrupt

    wanted = Representation(name="encoder-mean", max_length=16)
    with monkeypatch.context() as patch:
        patch.setattr(np, "save", cut_off)
        with pytest.raises(KeyboardInterrupt):
            extraction.load(data, str(tiny_encoder), wanted)
    assert not list(cache.glob("features/*.npy"))
    assert extraction.load(data, str(tiny_encoder), wanted).shape == (120, 32)
