"""Places in a text that a model has positions for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainables.engine.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# Names of tables of absolute positions, over architectures.
_TABLES = ("position_embeddings", "position_embedding", "embed_positions")
# Models of images have tables of their own.
_TEXT_TOWER = "text_model"


def positions(network: PreTrainedModel) -> int | None:
    """Return the number of tokens that a network has positions for.

    RoBERTa's kind counts positions from behind padding's id. None for relative positions alone.
    """
    config = network.config.get_text_config()
    stated = getattr(config, "max_position_embeddings", None)
    limits = [len(table) - first for table, first in _tables(network)]
    if not limits and getattr(config, "relative_attention", False):
        return None
    if isinstance(stated, int) and stated > 0:
        limits.append(stated)
    return min(limits, default=None)


def text_limit(
    network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, max_length: int
) -> int:
    """Return the number of tokens at which texts are cut.

    Args:
        network: Network that reads the texts.
        tokenizer: Tokenizer of the network.
        max_length: Number that a config allows.
    """
    most = positions(network)
    limit = min(max_length, int(tokenizer.model_max_length))
    return limit if most is None else min(limit, most)


def check_padding(network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, shown: str) -> None:
    """Refuse a padding token that shifts the positions of words.

    Raises:
        ModelError: naming both ids.
    """
    for _, first in _tables(network):
        if first and first != int(tokenizer.pad_token_id) + 1:
            raise ModelError(
                f"Model {shown} counts positions from behind padding, token {first - 1} by its "
                f"config.json, but its tokenizer pads with token {tokenizer.pad_token_id}: set "
                "pad_token_id in config.json, or pad_token in tokenizer_config.json."
            )


def _tables(network: PreTrainedModel) -> list[tuple[Tensor, int]]:
    """Return the tables of positions of texts, each with its first place."""
    text: Any = getattr(network, _TEXT_TOWER, None) or network
    found = []
    for name, part in text.named_modules():
        weight = getattr(part, "weight", None)
        own = name.split(".")
        if own[-1] in _TABLES and not own[0].startswith("entity") and weight is not None:
            padding = getattr(part, "padding_idx", None)
            found.append((weight, 0 if padding is None else int(padding) + 1))
    return found
