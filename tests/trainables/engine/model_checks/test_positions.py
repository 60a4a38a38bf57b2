"""Lengths at which texts are cut: all that a network has positions for, and no more."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerBase

from trainables.engine.errors import ModelError
from trainables.engine.model_checks.positions import check_padding, positions, text_limit

_SMALL: dict[str, Any] = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 20,
}


class Tokenizer:
    """As much of a tokenizer as lengths are read from."""

    model_max_length = int(1e30)  # what transformers says where nothing is known
    pad_token_id = 1


def network(kind: str, **change: Any) -> Any:
    with torch.random.fork_rng():
        torch.random.manual_seed(0)
        return AutoModel.from_config(AutoConfig.for_model(kind, **{**_SMALL, **change})).eval()


@pytest.mark.parametrize(
    ("kind", "most"),
    [
        ("bert", 20),
        ("distilbert", 20),
        ("electra", 20),
        ("albert", 20),
        ("ernie", 20),
        ("roformer", 20),
        ("roberta", 18),
        ("camembert", 18),
        ("xlm-roberta", 18),
        ("mpnet", 18),
        ("data2vec-text", 18),
        ("deberta-v2", 20),
    ],
)
def test_a_text_of_all_positions_is_read_and_a_longer_one_is_not(kind: str, most: int) -> None:
    model = network(kind)
    assert positions(model) == most

    def read(length: int) -> None:
        ids = torch.full((1, length), 7)
        model(input_ids=ids, attention_mask=torch.ones_like(ids))

    read(most)
    with pytest.raises((IndexError, RuntimeError)):
        read(most + 1)


def test_relative_positions_alone_are_no_limit() -> None:
    model = network("deberta-v2", relative_attention=True, position_biased_input=False)
    assert positions(model) is None
    ids = torch.full((1, 50), 7)
    assert model(input_ids=ids).last_hidden_state.shape[1] == 50


def test_rotary_positions_end_where_training_did() -> None:
    special = dict.fromkeys(("pad_token_id", "cls_token_id", "sep_token_id"), 1)
    special |= {"bos_token_id": 1, "eos_token_id": 1}
    assert positions(network("modernbert", **special)) == 20


@pytest.mark.parametrize(
    ("tokenizer", "config", "limit"), [(10**30, 512, 20), (12, 512, 12), (10**30, 9, 9)]
)
def test_the_smallest_of_three_limits_holds(tokenizer: int, config: int, limit: int) -> None:
    words: Any = Tokenizer()
    words.model_max_length = tokenizer
    assert text_limit(network("bert"), words, config) == limit


def test_padding_must_be_where_positions_are_counted_from() -> None:
    words: PreTrainedTokenizerBase = Tokenizer()  # type: ignore[assignment]
    check_padding(network("roberta", pad_token_id=1), words, "'m'")
    check_padding(network("bert", pad_token_id=0), words, "'m'")  # counts from the first place
    with pytest.raises(ModelError, match=r"'m' counts positions.*token 3.*pads with token 1"):
        check_padding(network("roberta", pad_token_id=3), words, "'m'")
