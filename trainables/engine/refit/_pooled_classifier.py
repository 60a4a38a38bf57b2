"""A classifier on one pooled vector of an encoder.

This file travels with the weights:

    AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=True)

Needs torch and transformers only; a folder of adapters needs peft, too.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

_ACTIVATIONS: dict[str, Any] = {
    "gelu": functional.gelu,
    "relu": functional.relu,
    "tanh": torch.tanh,
}


ADAPTERS, HEAD = "adapter_config.json", "head.safetensors"


class PooledConfig(PretrainedConfig):
    """Parts of the model.

    Attributes:
        encoder: Config of the encoder.
        pooling: "cls" or "mean", over real tokens.
        layer: Vectors of the tokens: "output" or "embeddings".
        widths: Widths of the layers between the vector and the classes.
        activation: Function behind each of them: "gelu", "relu" or "tanh".
    """

    model_type = "foldrace-pooled"

    def __init__(
        self,
        encoder: dict[str, Any] | None = None,
        pooling: str = "mean",
        layer: str = "output",
        widths: list[int] | None = None,
        activation: str = "gelu",
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        self.encoder = encoder or {}
        self.pooling, self.layer, self.widths = pooling, layer, widths or []
        self.activation = activation


class PooledForSequenceClassification(PreTrainedModel):
    """Texts to classes: encoder, pooled vector, linear layers."""

    config_class = PooledConfig

    def __init__(self, config: PooledConfig) -> None:
        super().__init__(config)
        inner = AutoConfig.for_model(**config.encoder)
        self.encoder = AutoModel.from_config(inner)
        if getattr(self.encoder, "pooler", None) is not None:
            self.encoder.pooler = None
        sizes = [inner.hidden_size, *config.widths, config.num_labels]
        if config.layer == "embeddings":
            sizes[0] = self.encoder.get_input_embeddings().embedding_dim
        self.dense = nn.ModuleList(
            nn.Linear(width, following) for width, following in itertools.pairwise(sizes)
        )
        self.post_init()  # type: ignore[no-untyped-call]

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *given: Any, **named: Any) -> Any:
        """Load whole weights, or a head with adapters.

        The encoder that adapters stand on is elsewhere.
        """
        folder = Path(pretrained_model_name_or_path)
        if not (folder / ADAPTERS).is_file():
            return super().from_pretrained(folder, *given, **named)
        try:
            from peft import PeftConfig, PeftModel
        except ImportError as error:
            raise ImportError(f"{folder} holds adapters, which need peft.") from error
        model: Any = cls(named.get("config") or PooledConfig.from_pretrained(folder))
        base = PeftConfig.from_pretrained(str(folder))
        encoder = AutoModel.from_pretrained(
            base.base_model_name_or_path, revision=base.revision, trust_remote_code=False
        )
        model.encoder = PeftModel.from_pretrained(encoder, folder)
        model.dense.load_state_dict(load_file(folder / HEAD))
        return model.eval()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> SequenceClassifierOutput:
        """Logits (batch, classes), and the loss where labels are given."""
        if self.config.layer == "embeddings":
            hidden = self.encoder.get_input_embeddings()(input_ids)
        else:
            inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
            if token_type_ids is not None:
                inputs["token_type_ids"] = token_type_ids
            hidden = self.encoder(**inputs).last_hidden_state
        if self.config.pooling == "cls":
            vector = hidden[:, 0]
        else:
            weights = attention_mask.unsqueeze(-1).to(hidden.dtype)
            vector = (hidden * weights).sum(dim=1) / weights.sum(dim=1)
        for layer in self.dense[:-1]:
            vector = _ACTIVATIONS[self.config.activation](layer(vector))
        logits = self.dense[-1](vector)
        loss = None if labels is None else functional.cross_entropy(logits, labels)
        return SequenceClassifierOutput(loss=loss, logits=logits)
