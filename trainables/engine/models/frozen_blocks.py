"""An encoder cut in two: frozen lower blocks, trained top blocks."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from trainables.engine.arrays import IntArray
from trainables.engine.config import FineTuning, TrainingConfig
from trainables.engine.errors import ConfigError, ModelError
from trainables.engine.models import pretrained, vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class _PassThrough(nn.Module):
    """A stand-in for the embeddings that returns given hidden states."""

    def forward(
        self, input_ids: None = None, inputs_embeds: Tensor | None = None, *_: Any, **__: Any
    ) -> Tensor | None:
        return inputs_embeds


def blocks(network: PreTrainedModel) -> nn.ModuleList:
    """Return the transformer blocks of an encoder, from the bottom.

    Raises:
        ModelError: if it has no list of blocks of the length that its config states.
    """
    count = network.config.num_hidden_layers
    lists = [part for part in network.modules() if isinstance(part, nn.ModuleList)]
    matches = [part for part in lists if len(part) == count]
    if len(matches) != 1 or not hasattr(network, "embeddings"):
        raise ModelError(
            f"a {type(network).__name__} has no list of {count} blocks above its embeddings; its "
            "lower blocks cannot be frozen. Leave trainable_blocks out."
        )
    return matches[0]


def depths(module: nn.Module) -> dict[str, int]:
    """Return how far below the classifier each parameter lies, by name.

    0 is beside or above an encoder, 1 its top block, and its embeddings lie deepest.

    Raises:
        ModelError: as `blocks`.
    """
    found: dict[str, int] = {}
    for prefix, part in module.named_modules():
        if not _is_encoder(part):
            continue
        every = blocks(part)
        place = {id(p): len(every) - i for i, block in enumerate(every) for p in block.parameters()}
        for name, parameter in part.named_parameters(prefix=prefix):
            deepest = len(every) + 1 if "embedding" in name.removeprefix(prefix) else 0
            found[name] = place.get(id(parameter), deepest)
    return {name: found.get(name, 0) for name, _ in module.named_parameters()}


def _is_encoder(part: nn.Module) -> bool:
    return hasattr(part, "embeddings") and hasattr(
        getattr(part, "config", None), "num_hidden_layers"
    )


def trained_blocks(model: str, config: TrainingConfig) -> int | None:
    """Return the number of blocks that a config trains.

    It is None where the whole encoder is trained.

    Args:
        model: Reference of the encoder.
        config: A trainable's Config.

    Raises:
        ConfigError: if the encoder has fewer blocks.
    """
    trained = config.trainable_blocks if isinstance(config, FineTuning) else None
    if trained is None:
        return None
    most = len(blocks(pretrained.load_encoder(model)))
    if trained > most:
        raise ConfigError(
            f"trainable_blocks must be at most {most}, the blocks of model {model!r}, got "
            f"{trained}."
        )
    return trained if trained < most else None


def top(network: PreTrainedModel, trained: int) -> PreTrainedModel:
    """Return a copy of an encoder's top blocks.

    The copy takes hidden states as `inputs_embeds`.

    Args:
        network: Encoder, which stays as it is.
        trained: Number of blocks, less than the encoder has.
    """
    every = blocks(network)
    # Only the top is copied, all with one memo: blocks and encoder share a config.
    memo: dict[int, Any] = {id(network.embeddings): _PassThrough()}
    memo[id(every)] = copy.deepcopy(nn.ModuleList(list(every)[len(every) - trained :]), memo)
    if hasattr(network, "embeddings_project"):
        memo[id(network.embeddings_project)] = nn.Identity()
    upper: PreTrainedModel = copy.deepcopy(network, memo)
    upper.config.num_hidden_layers = trained
    return upper


def below(network: PreTrainedModel, trained: int, words: IntArray) -> PreTrainedModel:
    """Return a copy of an encoder's embeddings and lower blocks.

    The embeddings are those of a data set's words.
    """
    count = len(blocks(network))
    lower = vocabulary.restricted(network, words)
    del blocks(lower)[count - trained :]
    lower.config.num_hidden_layers = count - trained
    return lower
