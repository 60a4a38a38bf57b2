"""A short text through a network: the last check, which no list of faults replaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from trainables.engine.errors import ModelError
from trainables.engine.model_checks.foreign_errors import refused

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_TEXTS = ["a trial", "a trial of some more words"]


@torch.inference_mode()
def read_once(network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, shown: str) -> None:
    """Refuse an encoder that cannot read a text, or makes no numbers of it.

    Args:
        network: Encoder, in the mode of evaluation.
        tokenizer: Tokenizer of the encoder.
        shown: Name of the model, for messages.

    Raises:
        ModelError: with the error that it raised.
    """
    with refused(f"Model {shown} cannot read a plain text", "fetch it anew, or give another."):
        tokens = tokenizer(_TEXTS, padding=True, truncation=True, max_length=8, return_tensors="pt")
        output: Any = network(**tokens)
        finite = bool(torch.isfinite(output.last_hidden_state).all())
    if not finite:
        raise ModelError(
            f"Model {shown} makes NaN or infinite numbers of a plain text, as its weights are "
            "damaged, or too large for fp32: fetch it anew, or give another."
        )
