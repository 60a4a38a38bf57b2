"""Low-rank adapters on a frozen encoder, LoRA.

Hu et al., ICLR 2022, equation (3):

    h = W x + s B A x

W is frozen, A (rank, in) is drawn, B (out, rank) begins at 0. s is `lora_alpha`; rank-stabilised
(Kalajdzievski, 2023) it is that times the square root of the rank. The layers are those of peft.

In a stack W is one tensor for all cells, so its product is one of all cells' rows. A, B and s are
each cell's own. Ranks are padded to the largest with rows of A and columns of B that are 0. They
stay 0: each is a factor of the other's gradient.
"""

from __future__ import annotations

import copy
import importlib.util
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from trainables.engine.config import FineTuning, TrainingConfig
from trainables.engine.errors import ConfigError, ModelError
from trainables.engine.models import frozen_blocks

if TYPE_CHECKING:
    from peft import LoraConfig, PeftModel
    from transformers import PreTrainedModel

# Queries and values by their names in transformers' encoders.
_QUERY_VALUE = frozenset(
    {"query", "value", "q_lin", "v_lin", "query_proj", "value_proj", "q_proj", "v_proj", "q", "v"}
)
_IN_ATTENTION = ("attention", "attn")
_NAME = "default"  # of the one adapter, as peft calls it


def rank_of(config: TrainingConfig) -> int:
    """Return the rank of a config's adapters; 0 without any."""
    return config.lora_rank if isinstance(config, FineTuning) else 0


def check(encoder: PreTrainedModel, config: TrainingConfig, shown: str) -> None:
    """Refuse adapters that an encoder cannot have.

    Args:
        encoder: Encoder of the task.
        config: Config of a cell.
        shown: The model as it was named.

    Raises:
        ConfigError: for a rank above the width, or without peft.
        ModelError: if the encoder has no layer of the targets' names.
    """
    rank = rank_of(config)
    if not rank or not isinstance(config, FineTuning):
        return
    if importlib.util.find_spec("peft") is None:
        raise ConfigError(
            f"lora_rank={rank} needs the package peft: pip install 'foldrace[lora]', or "
            "--fix lora_rank=0 trains all weights."
        )
    if config.trainable_blocks == 0:
        raise ConfigError(
            f"lora_rank={rank} adapts blocks that are trained, and trainable_blocks=0 trains none: "
            "give trainable_blocks at least 1, or none for all."
        )
    names = _targets(encoder, config.lora_targets)
    if not names:
        layers = {name.rpartition(".")[2] for name, part in _linear(encoder)}
        raise ModelError(
            f"model {shown} has no layer for lora_targets={config.lora_targets}; its linear layers "
            f"are called {', '.join(sorted(layers)) or 'nothing: there is none'}. Try "
            "--fix lora_targets=all-linear."
        )
    least = min(min(part.weight.shape) for name, part in _linear(encoder) if name in set(names))
    if rank > least:
        raise ConfigError(
            f"lora_rank must be at most {least}, the width of model {shown}, got {rank}."
        )


def frozen(encoder: PreTrainedModel, config: TrainingConfig) -> PreTrainedModel:
    """Freeze an own encoder where adapters are to be trained."""
    if rank_of(config):
        encoder.requires_grad_(False)
    return encoder


def adapted(encoder: PreTrainedModel, config: TrainingConfig) -> PreTrainedModel:
    """Return an encoder with adapters, drawn from torch's generator.

    Args:
        encoder: Encoder from `frozen`; its tensors are the result's, too, its modules are not.
        config: Config of the cell; without a rank the encoder is returned as it is.
    """
    rank = rank_of(config)
    if not rank or not isinstance(config, FineTuning):
        return encoder
    from peft import inject_adapter_in_model

    network: PreTrainedModel = copied(encoder)
    inject_adapter_in_model(_settings(config, _targets(network, config.lora_targets)), network)
    for _, layer in layers(network):
        scale = torch.tensor(float(layer.scaling[_NAME]))
        layer.scaling[_NAME] = scale.item()  # rounded: alone and in a stack the same
        layer.register_buffer("lora_scale", scale, persistent=False)
    return network


def copied(network: Any) -> Any:
    """Return a copy that shares the tensors which are not trained."""
    tensors = [p for p in network.parameters() if not p.requires_grad]
    return copy.deepcopy(network, {id(tensor): tensor for tensor in tensors})


def layers(network: nn.Module) -> Iterator[tuple[str, Any]]:
    """Yield each layer with an adapter, and its name."""
    for name, part in network.named_modules():
        if hasattr(part, "lora_A") and hasattr(part, "base_layer"):
            yield name, part


@torch.no_grad()
def pad(networks: Sequence[nn.Module]) -> None:
    """Pad the adapters of cells to the largest rank, in place."""
    every = [[layer for _, layer in layers(network)] for network in networks]
    for same in zip(*every, strict=True):
        rank = max(layer.lora_A[_NAME].weight.shape[0] for layer in same)
        for layer in same:
            down, up = layer.lora_A[_NAME], layer.lora_B[_NAME]
            more = rank - down.weight.shape[0]
            if more:
                down.weight = nn.Parameter(nn.functional.pad(down.weight, (0, 0, 0, more)))
                up.weight = nn.Parameter(nn.functional.pad(up.weight, (0, more)))


def trained(module: nn.Module, config: TrainingConfig) -> int:
    """Number of weights that a cell trains, without what `pad` has added."""
    count = sum(weight.numel() for weight in module.parameters() if weight.requires_grad)
    rank = rank_of(config)
    if rank:
        for _, layer in layers(module):
            down, up = layer.lora_A[_NAME].weight, layer.lora_B[_NAME].weight
            count -= (down.shape[0] - rank) * (down.shape[1] + up.shape[0])
    return count


@torch.no_grad()
def merged(encoder: PreTrainedModel) -> PreTrainedModel:
    """Return an encoder without adapters, its weights W + s B A.

    Raises:
        ValueError: if it has none.
    """
    network: Any = copy.deepcopy(encoder)
    found = list(layers(network))
    if not found:
        raise ValueError("the encoder has no adapters to merge.")
    for name, layer in found:
        layer.base_layer.weight += layer.get_delta_weight(_NAME).to(layer.base_layer.weight)
        parent, _, last = name.rpartition(".")
        setattr(network.get_submodule(parent), last, layer.base_layer)
    vars(network).pop("peft_config", None)
    return network  # type: ignore[no-any-return]


@dataclass(frozen=True, eq=False)
class Learnt:
    """Trained adapters, apart from their encoder.

    Attributes:
        model: Reference of the encoder that they stand on.
        config: Config that they were trained by.
        layers: Layers of peft by their names in the whole encoder.
    """

    model: str
    config: FineTuning
    layers: Mapping[str, Any]

    @torch.no_grad()
    def put_on(self, network: nn.Module, within: str = "", **more: Any) -> PeftModel:
        """Wrap a network as peft's model, with these adapters in it.

        Args:
            network: Network that holds the whole encoder, as it was before training.
            within: Name of the encoder in it, with a dot; blank where it is the encoder.
            more: Further settings of peft.
        """
        from peft import get_peft_model

        places = {f"{within}{name}": layer for name, layer in self.layers.items()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by an old name
            model: Any = get_peft_model(network, _settings(self.config, list(places), **more))
        for name, layer in layers(model.base_model.model):
            for part in ("lora_A", "lora_B"):
                given = getattr(places[name], part)[_NAME]
                getattr(layer, part)[_NAME].weight.copy_(given.weight)
        return model  # type: ignore[no-any-return]


def learnt(
    encoder: PreTrainedModel, original: PreTrainedModel, config: FineTuning, model: str
) -> Learnt:
    """Take the adapters of a trained encoder.

    Args:
        encoder: Trained encoder with adapters: all blocks, or the top ones.
        original: Encoder that it was made of, with all blocks.
        config: Config that it was trained by.
        model: Reference of the original.
    """
    every, own = frozen_blocks.blocks(original), frozen_blocks.blocks(encoder)
    place = next(place for place, part in encoder.named_modules() if part is own)
    found = {}
    for name, layer in layers(encoder):
        number, _, rest = name.removeprefix(f"{place}.").partition(".")
        found[f"{place}.{int(number) + len(every) - len(own)}.{rest}"] = layer
    return Learnt(model, config, found)


def _settings(config: FineTuning, targets: list[str], **more: Any) -> LoraConfig:
    """Settings of peft for a config."""
    from peft import LoraConfig

    return LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha * config.lora_rank,  # type: ignore[arg-type]
        lora_dropout=config.lora_dropout,
        use_rslora=config.lora_rank_stabilised,
        target_modules=targets,
        **more,
    )


class _InStack(nn.Module):
    """A layer with an adapter whose scale is a cell's own.

    Its tensors have the names that they have in peft's.
    """

    lora_scale: Tensor

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.base_layer, self.lora_dropout = layer.base_layer, layer.lora_dropout
        self.lora_A, self.lora_B = layer.lora_A, layer.lora_B
        self.register_buffer("lora_scale", layer.lora_scale, persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Output of the layer and of its adapter, added."""
        outputs: Tensor = self.base_layer(inputs)
        low = self.lora_A[_NAME](self.lora_dropout[_NAME](inputs))
        # Scaled where it is narrow: a pass less over the layer's width, there and back.
        step: Tensor = self.lora_B[_NAME](low * self.lora_scale.to(low.dtype))
        return outputs + step


def use_in_stack(module: nn.Module) -> None:
    """Let a module's adapters have a scale for each cell."""
    for name, layer in list(layers(module)):
        parent, _, last = name.rpartition(".")
        setattr(module.get_submodule(parent), last, _InStack(layer))


def _targets(network: PreTrainedModel, targets: str) -> list[str]:
    """Names of the layers to adapt, all below the blocks' list."""
    every = [name for name, _ in _linear(network)]
    if targets == "all-linear":
        return every
    if targets == "attention":
        return [name for name in every if any(word in name for word in _IN_ATTENTION)]
    return [name for name in every if name.rpartition(".")[2] in _QUERY_VALUE]


def _linear(network: PreTrainedModel) -> list[tuple[str, nn.Linear]]:
    """Linear layers of an encoder's blocks."""
    blocks = frozen_blocks.blocks(network)
    place = next(name for name, part in network.named_modules() if part is blocks)
    return [
        (f"{place}.{name}", part)
        for name, part in blocks.named_modules()
        if isinstance(part, nn.Linear)
    ]
