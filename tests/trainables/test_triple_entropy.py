"""TripleEntropy: equation 6 from the module's own parts, and what must not reach the loss."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from transformers import (
    AutoModel,
    BertConfig,
    DistilBertConfig,
    ElectraConfig,
    PretrainedConfig,
    RobertaConfig,
)

from tests.factories import config
from trainables.engine.errors import ConfigError
from trainables.triple_entropy import Config, TripleEntropy, build

FIELDS = config("triple_entropy", k=3, beta=0.7, pooling="cls", learning_rate=1e-3, batch_size=4)
SMALL = {"vocab_size": 20, "max_position_embeddings": 24, "pad_token_id": 0}
ENCODERS = [
    BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, **SMALL
    ),
    RobertaConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, **SMALL
    ),
    ElectraConfig(
        hidden_size=16,
        embedding_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        **SMALL,
    ),
    DistilBertConfig(dim=16, n_layers=1, n_heads=2, hidden_dim=16, **SMALL),
]


def _module(encoder: PretrainedConfig = ENCODERS[0], **change: Any) -> TripleEntropy:
    with torch.random.fork_rng():
        torch.random.manual_seed(5)
        module = build(Config(**{**FIELDS, **change}), AutoModel.from_config(encoder), 3)
    return module.double()


def _batch(length: int = 6, padding: int = 0) -> tuple[dict[str, Tensor], Tensor]:
    draw = torch.Generator().manual_seed(2)
    ids = torch.randint(5, 20, (4, length), generator=draw)
    mask = torch.ones_like(ids)
    mask[1, length - 2 :] = 0
    ids = functional.pad(ids * mask, (0, padding))
    return (
        {"input_ids": ids, "attention_mask": functional.pad(mask, (0, padding))},
        torch.tensor([0, 1, 2, 1]),
    )


def _without_dropout(module: TripleEntropy) -> TripleEntropy:
    for part in module.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    return module.train()


@pytest.mark.parametrize("encoder", ENCODERS, ids=lambda config: config.model_type)
def test_every_encoder_goes_through_unmodified(encoder: PretrainedConfig) -> None:
    module = _module(encoder)
    inputs, labels = _batch()
    output = module.train()(inputs, labels)
    output.loss.backward()
    assert output.logits.shape == (4, 3)
    assert module.soft_triple is not None
    assert module.soft_triple.proxies.grad is not None


def test_the_loss_is_equation_6() -> None:
    module = _without_dropout(_module())
    inputs, labels = _batch()
    tokens = module.encoder(**inputs).last_hidden_state
    cross_entropy = functional.cross_entropy(module.classifier(tokens[:, 0]), labels)
    # Every real token with the label of its text, padding never (section 3.1.2).
    fed = [
        (tokens[text, place], labels[text])
        for text in range(4)
        for place in range(6)
        if inputs["attention_mask"][text, place]
    ]
    assert module.soft_triple is not None
    triple = module.soft_triple(
        torch.stack([embedding for embedding, _ in fed]), torch.stack([label for _, label in fed])
    )
    beta = module.beta  # 0.7 in float32
    expected = beta * cross_entropy + (1 - beta) * triple
    assert module(inputs, labels).loss.item() == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_padding_reaches_neither_loss_nor_gradient(pooling: str) -> None:
    short, long = (_without_dropout(_module(pooling=pooling)) for _ in range(2))
    first = short(*_batch())
    second = long(*_batch(padding=5))
    assert second.loss.item() == pytest.approx(first.loss.item(), rel=1e-10)
    first.loss.backward()
    second.loss.backward()
    torch.testing.assert_close(
        long.classifier.weight.grad, short.classifier.weight.grad, rtol=1e-9, atol=1e-12
    )


def test_padding_is_fed_when_the_switch_asks_for_the_papers_way() -> None:
    without = _without_dropout(_module())(*_batch()).loss.item()
    fed = _without_dropout(_module(padding_tokens=True))(*_batch()).loss.item()
    assert fed != pytest.approx(without, rel=1e-4)
    # Up to the batch's own longest text: a stack pads it to its neighbours'.
    longer = _without_dropout(_module(padding_tokens=True))(*_batch(padding=5)).loss.item()
    assert longer == pytest.approx(fed, rel=1e-10)


def test_at_beta_1_there_are_no_proxies_and_the_loss_is_cross_entropy() -> None:
    module = _without_dropout(_module(beta=1.0))
    inputs, labels = _batch()
    output = module(inputs, labels)
    assert module.soft_triple is None
    assert not [name for name, _ in module.named_parameters() if "prox" in name]
    assert output.loss.item() == functional.cross_entropy(output.logits, labels).item()


def test_mean_pooling_is_over_real_tokens() -> None:
    module = _without_dropout(_module(pooling="mean"))
    inputs, labels = _batch()
    tokens = module.encoder(**inputs).last_hidden_state
    pooled = torch.stack([tokens[0].mean(0), tokens[1, :4].mean(0)])
    torch.testing.assert_close(module(inputs, labels).logits[:2], module.classifier(pooled))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("k", 0),
        ("gamma", 0.0),
        ("scale", -1.0),
        ("margin", 1.5),
        ("beta", 1.1),
        ("merge_weight", -1.0),
        ("pooling", "max"),
        ("learning_rate", 0.0),
        ("weight_decay", -0.1),
        ("warmup_fraction", 1.0),
        ("batch_size", 0),
        ("max_length", 2),
        ("epochs", 0),
        ("clip_norm", -1.0),
        ("precision", "fp8"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"{field} .*, got {value!r}"):
        Config(**{**FIELDS, field: value})
