"""A trial: a short text through a network, the last check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from trainables.engine.errors import ModelError
from trainables.engine.model_checks.foreign_errors import refused

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_SHORT, _LONG = "a trial", "a trial of some more words"
_MOST_TOKENS = 12
# Of the largest number: padding moves an encoder's output by rounding alone.
_TOLERANCE = 1e-3


@torch.inference_mode()
def read_once(
    network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, shown: str, *, pairs: bool = False
) -> None:
    """Refuse an encoder that cannot read a text, or reads padding.

    Args:
        network: Encoder, in the mode of evaluation.
        tokenizer: Tokenizer of the encoder.
        shown: Name of the model, for messages.
        pairs: True to read pairs of texts.

    Raises:
        ModelError: with the error that it raised, or what is wrong with its output.
    """

    def read(*texts: str) -> Tensor:
        tokens = tokenizer(
            list(texts),
            list(texts) if pairs else None,
            padding=True,
            truncation=True,
            max_length=_MOST_TOKENS,
            return_tensors="pt",
        )
        # The process' own network may have been moved to a GPU since.
        inputs = {name: value.to(network.device) for name, value in tokens.items()}
        output: Any = network(**inputs)
        vectors: Tensor = output.last_hidden_state[0]
        return vectors[inputs["attention_mask"][0].bool()]

    what = "a plain pair of texts" if pairs else "a plain text"
    with refused(f"Model {shown} cannot read {what}", "fetch it anew, or give another."):
        alone, beside = read(_SHORT), read(_SHORT, _LONG)
    if not bool(torch.isfinite(beside).all()):
        raise ModelError(
            f"Model {shown} makes NaN or infinite numbers of {what}, as its weights are damaged, "
            "or too large for fp32: fetch it anew, or give another."
        )
    if float((alone - beside).abs().max()) > _TOLERANCE * float(alone.abs().max()):
        raise ModelError(
            f"Model {shown} (a {type(network).__name__}) reads padding: what it makes of a text "
            "depends on the texts beside it. Give an encoder with an attention mask."
        )
