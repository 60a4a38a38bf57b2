"""A short text through a network: NaN, padding and pairs that it cannot read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModel

from trainables.engine.errors import ModelError
from trainables.engine.model_checks.loading import load_tokenizer
from trainables.engine.model_checks.trial import read_once


class WithTypes:
    """A tokenizer that gives a type of token for each text of a pair."""

    def __init__(self, folder: Path) -> None:
        self._inner = load_tokenizer(folder, "'m'")

    def __call__(self, texts: Any, second: Any, **settings: Any) -> dict[str, Any]:
        tokens = self._inner(texts, second, **settings)
        types = [[side or 0 for side in tokens.sequence_ids(at)] for at in range(len(texts))]
        return dict(tokens) | {"token_type_ids": torch.tensor(types)}


def network(folder: Path, **change: Any) -> Any:
    with torch.random.fork_rng():
        torch.random.manual_seed(0)
        return AutoModel.from_config(AutoConfig.from_pretrained(folder, **change)).eval()


def test_a_sound_encoder_reads_texts_and_pairs(tiny_encoder: Path) -> None:
    tokenizer: Any = WithTypes(tiny_encoder)
    for pairs in (False, True):
        read_once(network(tiny_encoder), tokenizer, "'m'", pairs=pairs)


def test_an_encoder_of_one_type_of_token_reads_texts_but_no_pairs(tiny_encoder: Path) -> None:
    tokenizer: Any = WithTypes(tiny_encoder)
    encoder = network(tiny_encoder, type_vocab_size=1)
    read_once(encoder, tokenizer, "'m'")
    with pytest.raises(ModelError, match=r"'m' cannot read a plain pair of texts .index out of"):
        read_once(encoder, tokenizer, "'m'", pairs=True)


def test_weights_too_large_for_their_type_are_refused(tiny_encoder: Path) -> None:
    encoder = network(tiny_encoder)
    with torch.no_grad():
        encoder.encoder.layer[0].output.dense.weight.fill_(3e38)
    with pytest.raises(ModelError, match="'m' makes NaN or infinite numbers of a plain text"):
        read_once(encoder, load_tokenizer(tiny_encoder, "'m'"), "'m'")
