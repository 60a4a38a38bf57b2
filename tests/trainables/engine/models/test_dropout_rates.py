"""Another dropout rate is where the architecture puts its own, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from transformers import (
    AutoModel,
    BertConfig,
    DistilBertConfig,
    ModernBertConfig,
    PretrainedConfig,
    RobertaConfig,
)

from trainables.engine.errors import ModelError
from trainables.engine.models.dropout_rates import hidden_dropout, with_rates

SIZES: dict[str, Any] = {
    "vocab_size": 20,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
}
KINDS: list[PretrainedConfig] = [
    BertConfig(**SIZES),
    RobertaConfig(**SIZES),
    DistilBertConfig(vocab_size=20, dim=16, n_layers=2, n_heads=2, hidden_dim=16),
]


def rates(encoder: nn.Module) -> set[float]:
    return {part.p for part in encoder.modules() if isinstance(part, nn.Dropout)}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.model_type)
def test_rates_are_those_of_a_model_built_with_them(kind: PretrainedConfig) -> None:
    encoder = AutoModel.from_config(kind)
    before = rates(encoder)
    other = with_rates(encoder, 0.3, 0.4)
    names = {"hidden_dropout_prob": 0.3, "attention_probs_dropout_prob": 0.4}
    if kind.model_type == "distilbert":
        names = {"dropout": 0.3, "attention_dropout": 0.4}
    built = AutoModel.from_config(type(kind)(**{**kind.to_dict(), **names}))
    expected = {n: p.p for n, p in built.named_modules() if isinstance(p, nn.Dropout)}
    found = {n: p.p for n, p in other.named_modules() if isinstance(p, nn.Dropout)}
    assert found == expected
    assert hidden_dropout(other) == 0.3
    assert rates(encoder) == before, "the encoder itself stays as it is"
    pairs = zip(encoder.parameters(), other.parameters(), strict=True)
    assert all(one is another for one, another in pairs), "weights are shared, not copied"


def test_without_a_rate_it_is_the_encoder_itself() -> None:
    encoder = AutoModel.from_config(KINDS[0])
    assert with_rates(encoder, None, None) is encoder
    assert with_rates(encoder, 0.0, None).config.hidden_dropout_prob == 0.0


def test_what_attention_drops_changes_a_step() -> None:
    encoder = AutoModel.from_config(KINDS[0]).train()
    ids = torch.arange(5, 15).view(2, 5)
    still = with_rates(encoder, 0.0, 0.0).train()
    with torch.no_grad():
        first, second = (still(ids).last_hidden_state for _ in range(2))
        torch.testing.assert_close(first, second)
        moved = with_rates(encoder, 0.0, 0.5).train()
        assert not torch.equal(moved(ids).last_hidden_state, first)


def test_an_architecture_without_the_rate_is_refused() -> None:
    sizes = {**SIZES, "pad_token_id": 0}
    encoder = AutoModel.from_config(ModernBertConfig(**sizes))
    with pytest.raises(ModelError, match="ModernBertModel has no rate that hidden_dropout"):
        with_rates(encoder, 0.1, None)
