"""The dense layer before a classifier is that of transformers' own classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    DistilBertConfig,
    ElectraConfig,
    PretrainedConfig,
    RobertaConfig,
)

from tests.factories import config
from trainables.engine.models import pretrained
from trainables.engine.models.pooling import PooledClassifier
from trainables.triple_entropy import Config

SIZES: dict[str, Any] = {
    "vocab_size": 20,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "pad_token_id": 0,
    "num_labels": 3,
}
DISTIL = {"vocab_size": 20, "dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 16}
KINDS: dict[str, PretrainedConfig] = {
    "bert": BertConfig(**SIZES),
    "roberta": RobertaConfig(**SIZES),
    "electra": ElectraConfig(**SIZES, embedding_size=16),
    "distilbert": DistilBertConfig(**DISTIL, pad_token_id=0, num_labels=3),
}
# Where the head of transformers' own class has its two layers.
LAYERS = {
    "bert": ("bert.pooler.dense", "classifier"),
    "roberta": ("classifier.dense", "classifier.out_proj"),
    "electra": ("classifier.dense", "classifier.out_proj"),
    "distilbert": ("pre_classifier", "classifier"),
}
IDS = torch.tensor([[5, 6, 7, 8], [9, 10, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])


def classifier(encoder: Any, **change: Any) -> PooledClassifier:
    return PooledClassifier(
        Config(**config("triple_entropy", pooling="pooler", **change)), encoder, 3
    )


@pytest.mark.parametrize("kind", KINDS)
def test_it_computes_what_transformers_own_class_computes(kind: str) -> None:
    with torch.random.fork_rng():
        torch.random.manual_seed(0)
        stock: Any = AutoModelForSequenceClassification.from_config(KINDS[kind]).eval()
        ours = classifier(getattr(stock, stock.base_model_prefix)).eval()
    assert ours.pooler is not None
    for layer, name in zip((ours.pooler.dense, ours.classifier), LAYERS[kind], strict=True):
        layer.load_state_dict(stock.get_submodule(name).state_dict())
    with torch.no_grad():
        tokens = ours.encoder(IDS, attention_mask=MASK).last_hidden_state
        found = ours.classified(tokens, MASK.bool())
        torch.testing.assert_close(found, stock(IDS, attention_mask=MASK).logits)


@pytest.mark.parametrize(
    ("kind", "both"), [("bert", False), ("roberta", True), ("electra", True), ("distilbert", False)]
)
def test_it_drops_where_transformers_own_class_does(kind: str, both: bool) -> None:
    stock: Any = AutoModelForSequenceClassification.from_config(KINDS[kind])
    ours = classifier(getattr(stock, stock.base_model_prefix), head_dropout=0.3)
    assert ours.pooler is not None
    before = ours.pooler.dropout
    assert (before is not None) == both
    assert [part.p for part in (before, ours.dropout) if part is not None] == [0.3] * (1 + both)
    calls = []
    for part in [p for p in ours.modules() if isinstance(p, nn.Dropout) and p.p == 0.3]:
        part.register_forward_hook(lambda *_: calls.append("ours"))
    heads = [p for n, p in stock.named_modules() if n.split(".")[0] in ("dropout", "classifier")]
    for part in [p for p in heads if isinstance(p, nn.Dropout)]:
        part.register_forward_hook(lambda *_: calls.append("theirs"))
    tokens = ours.encoder(IDS, attention_mask=MASK).last_hidden_state
    ours.classified(tokens, MASK.bool())
    stock(IDS, attention_mask=MASK)
    assert calls.count("ours") == calls.count("theirs") == 1 + both


def test_a_bert_starts_from_its_pretrained_pooler(tiny_encoder: Path) -> None:
    encoder = pretrained.load_encoder(str(tiny_encoder))
    pooler = pretrained.pretrained_pooler(str(tiny_encoder))
    made = classifier(encoder).pooler
    assert pooler is not None
    assert made is not None
    torch.testing.assert_close((made.dense.weight.data, made.dense.bias.data), pooler)
    assert made.dense.weight.data_ptr() != pooler[0].data_ptr(), "a cell trains its own"
