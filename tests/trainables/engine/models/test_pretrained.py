"""Models by reference: kept for the process, released at need, one limit for all readers."""

from __future__ import annotations

from pathlib import Path

from tests.trainables import clip_models
from trainables.engine.contract import DataRef
from trainables.engine.datasets.load import load_data
from trainables.engine.inputs.tokens import tokenised
from trainables.engine.models import pretrained, towers


def test_a_network_is_kept_until_it_is_released(tiny_encoder: Path) -> None:
    first = pretrained.load_encoder(str(tiny_encoder))
    assert pretrained.load_encoder(str(tiny_encoder)) is first
    pretrained.release()
    assert pretrained.load_encoder(str(tiny_encoder)) is not first


def test_all_readers_of_texts_stop_at_one_place(tiny_encoder: Path, tmp_path: Path) -> None:
    pair = str(clip_models.clip(tmp_path / "clip"))
    assert [pretrained.is_paired(model) for model in (str(tiny_encoder), pair)] == [False, True]
    assert pretrained.text_limit(str(tiny_encoder), 512) == 64
    assert pretrained.text_limit(str(tiny_encoder), 7) == 7
    assert pretrained.text_limit(pair, 512) == 12
    text = "the film was good " * 100
    table = tmp_path / "long.csv"
    table.write_text(f"text,label\n{text}1,a\n{text}2,b\nshort,a\n", encoding="utf-8")
    tokens = tokenised(load_data(DataRef(name=str(table))), str(tiny_encoder), 512)
    assert tokens.lengths.tolist() == [64, 64, 3]
    for model, length in ((str(tiny_encoder), 64), (pair, 12)):
        assert towers.tokenised(model, [text], 512)["input_ids"].shape == (1, length)
