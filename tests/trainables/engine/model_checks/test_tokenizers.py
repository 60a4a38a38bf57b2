"""Tokenizers: those without files, padding, and words that are not known."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModel, logging

from trainables.engine.errors import ModelError
from trainables.engine.model_checks.loading import load_tokenizer
from trainables.engine.model_checks.tokenizers import check_reads
from trainables.engine.refit.network import FinalNetwork


@pytest.mark.parametrize(
    "kind",
    [
        *("bert", "distilbert", "roberta", "electra", "mpnet", "albert", "camembert"),
        *("xlm-roberta", "deberta", "deberta-v2", "modernbert", "ernie", "longformer", "big_bird"),
    ],
)
def test_a_type_without_tokenizer_files_has_no_words(kind: str, tmp_path: Path) -> None:
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    AutoConfig.for_model(kind).save_pretrained(tmp_path)
    logging.set_verbosity(verbosity)
    with pytest.raises(ModelError, match=r"'m' has (no tokenizer|a tokenizer that cannot be read)"):
        load_tokenizer(tmp_path, "'m'")


def test_padding_goes_to_the_end_of_a_text_whatever_the_folder_says(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_encoder, tmp_path / "left")
    file = folder / "tokenizer_config.json"
    said = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(said | {"padding_side": "left"}), encoding="utf-8")
    encoder = AutoModel.from_pretrained(folder).eval()
    network = FinalNetwork(
        encoder=encoder,
        head=torch.nn.Linear(encoder.config.hidden_size, 2),
        layer="output",
        pooling="cls",
        tokenizer=load_tokenizer(folder, "'m'"),
        max_length=16,
        label_names=("a", "b"),
        pairs=False,
    )
    short, long = "good film", "the film was a good story and its end"
    alone = network.probabilities([short])[0]
    together = network.probabilities([short, long])[0]
    assert together.tolist() == pytest.approx(alone.tolist(), abs=1e-6)


def test_texts_of_unknown_words_are_refused(tiny_encoder: Path) -> None:
    tokenizer = load_tokenizer(tiny_encoder, "'m'")
    strange = ["quidquid agis", "prudenter agas et respice finem"] * 5
    with pytest.raises(ModelError, match="does not know 35 of 35 words of these texts"):
        check_reads(tokenizer, strange, "'m'")
    check_reads(tokenizer, [*strange, *["the film was good"] * 5], "'m'")
    check_reads(tokenizer, ["", " "], "'m'")
