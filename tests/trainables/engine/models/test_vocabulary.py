"""An encoder of a data set's words is the whole encoder, as far as that data set can tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    ElectraConfig,
    ElectraModel,
    PreTrainedModel,
    RobertaConfig,
    RobertaModel,
)

from trainables.engine.contract import DataRef
from trainables.engine.datasets.load import load_data
from trainables.engine.inputs import tokens as batches
from trainables.engine.models import pretrained, vocabulary

SIZES = {
    "vocab_size": 90,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 40,
}


def _encoder(kind: str) -> PreTrainedModel:
    torch.manual_seed(3)
    if kind == "bert":
        return BertModel(BertConfig(**SIZES), add_pooling_layer=False)
    if kind == "roberta":
        return RobertaModel(RobertaConfig(**SIZES, pad_token_id=1), add_pooling_layer=False)
    if kind == "electra":
        return ElectraModel(ElectraConfig(**SIZES, embedding_size=12))
    sizes = {"vocab_size": 90, "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24}
    return DistilBertModel(DistilBertConfig(**sizes))


@pytest.mark.parametrize("kind", ["bert", "roberta", "electra", "distilbert"])
def test_the_cut_down_encoder_gives_the_same_hidden_states_and_gradients(kind: str) -> None:
    whole = _encoder(kind).eval()
    padding = whole.config.pad_token_id or 0
    ids = torch.tensor([[5, 40, 77, 8], [5, 9, 8, padding]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    words = np.union1d(ids.numpy().ravel(), np.arange(padding + 1))
    small = vocabulary.restricted(whole, words)
    numbers = torch.from_numpy(np.searchsorted(words, ids.numpy()))
    for_whole = whole(input_ids=ids, attention_mask=mask).last_hidden_state
    for_small = small(input_ids=numbers, attention_mask=mask).last_hidden_state
    assert torch.equal(for_whole, for_small)
    for_whole.square().sum().backward()
    for_small.square().sum().backward()
    gradient = whole.get_input_embeddings().weight.grad
    assert torch.equal(gradient[words], small.get_input_embeddings().weight.grad)
    gradient[words] = 0
    assert not gradient.any()
    assert whole.config.vocab_size == 90


def test_put_back_gives_the_trained_words_their_old_ids() -> None:
    whole = _encoder("bert")
    words = np.array([0, 5, 40])
    small = vocabulary.restricted(whole, words)
    with torch.no_grad():
        small.get_input_embeddings().weight += 1
    vocabulary.put_back(small, whole, words)
    old, new = whole.get_input_embeddings().weight, small.get_input_embeddings().weight
    assert small.config.vocab_size == 90
    assert torch.equal(new[words], old[words] + 1)
    others = np.setdiff1d(np.arange(90), words)
    assert torch.equal(new[others], old[others])


def test_tokens_are_those_of_the_tokenizer_under_other_numbers(
    reviews: Path, tiny_encoder: Path
) -> None:
    data = load_data(DataRef(name=str(reviews), text="body", label="verdict"))
    tokens = batches.tokenised(data, str(tiny_encoder), 16)
    rows = np.array([3, 0, 7])
    expected = AutoTokenizer.from_pretrained(tiny_encoder)(
        [data.texts[row] for row in rows], padding=True, return_tensors="pt"
    )
    given = tokens.inputs.padded(rows)
    assert given.keys() == set(expected)
    assert torch.equal(given["attention_mask"], expected["attention_mask"])
    assert np.array_equal(tokens.vocabulary[given["input_ids"]], expected["input_ids"])
    small = vocabulary.restricted(pretrained.load_encoder(str(tiny_encoder)), tokens.vocabulary)
    assert small.get_input_embeddings().num_embeddings == len(tokens.vocabulary)
