"""What reads texts and looks at images: the towers of a CLIP or SigLIP model, and what stands in.

A text tower is that of CLIP or SigLIP, a sentence-transformers folder (mean pooling and dense
layers, as clip-ViT-B-32-multilingual-v1 has), or any encoder, mean over its tokens. An image tower
is that of CLIP or SigLIP, or the packaged efficientnet-lite0.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trainables.engine.errors import ModelError
from trainables.engine.models import efficientnet_lite, pretrained
from trainables.engine.models.image_preprocessing import Preparation, read_preparation
from trainables.engine.models.pooling import mean_over_tokens

_PAIRED = ("clip", "siglip", "siglip2")
_ACTIVATIONS = {
    "torch.nn.modules.linear.Identity": nn.Identity,
    "torch.nn.modules.activation.Tanh": nn.Tanh,
    "torch.nn.modules.activation.ReLU": nn.ReLU,
    "torch.nn.modules.activation.GELU": nn.GELU,
}


class TextTower(nn.Module):
    """From tokens to a vector a text.

    Args:
        network: A transformers model.
        dense: What comes behind the mean over tokens; None for a model with a text tower.
    """

    def __init__(self, network: nn.Module, dense: nn.Module | None) -> None:
        super().__init__()
        self.network, self.dense = network, dense

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Vectors, (texts, width), of input_ids and attention_mask, (texts, length)."""
        network: Any = self.network
        if self.dense is None:
            return _pooled(network.get_text_features(**inputs))
        hidden = network(**inputs).last_hidden_state
        given: Tensor = self.dense(mean_over_tokens(hidden, inputs["attention_mask"].bool()))
        return given


class ImageTower(nn.Module):
    """From pixels to a vector an image.

    Args:
        network: A transformers model with get_image_features, or a module from pixels to vectors.
        preparation: What is done to an image before.
    """

    def __init__(self, network: nn.Module, preparation: Preparation) -> None:
        super().__init__()
        self.network, self.preparation = network, preparation

    def forward(self, pixels: Tensor) -> Tensor:
        """Vectors, (images, width), of uint8 pixels (images, 3, height, width)."""
        network: Any = self.network
        given = self.preparation.normalised(pixels)
        if hasattr(network, "get_image_features"):
            return _pooled(network.get_image_features(pixel_values=given))
        found: Tensor = network(given)
        return found


def _pooled(given: Any) -> Tensor:
    found: Tensor = given if isinstance(given, Tensor) else given.pooler_output
    return found


def _kind(folder: Path) -> str:
    """The model_type that a folder's config.json names."""
    try:
        return str(json.loads((folder / "config.json").read_text("utf-8")).get("model_type", ""))
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder / 'config.json'} cannot be read: {error}") from error


@lru_cache(maxsize=4)
def text_tower(reference: str) -> TextTower:
    """A text tower, kept for the life of the process: copy it, never train it.

    Raises:
        ModelError: if the model cannot read texts.
    """
    folder = pretrained.locate(reference)
    kind = _kind(folder)
    if kind == efficientnet_lite.KIND:
        raise ModelError(f"Model {reference!r} looks at images only; choose another for texts.")
    network = pretrained.load_encoder(reference)
    if kind in _PAIRED:
        return TextTower(
            _without(copy.deepcopy(network), "vision_model", "visual_projection"), None
        )
    return TextTower(network, _dense(folder))


@lru_cache(maxsize=4)
def image_tower(reference: str) -> ImageTower:
    """An image tower, kept for the life of the process: copy it, never train it.

    Raises:
        ModelError: if the model has none.
    """
    folder = pretrained.locate(reference)
    kind = _kind(folder)
    if kind == efficientnet_lite.KIND:
        network: nn.Module = efficientnet_lite.load(folder)
        return ImageTower(network, read_preparation(folder, efficientnet_lite.SIDE))
    if kind not in _PAIRED:
        raise ModelError(
            f"Model {reference!r} (a {kind or 'model without a type'}) cannot look at images: give "
            "a CLIP or SigLIP model with --model, or another image encoder such as "
            "--fix image_encoder=efficientnet-lite0."
        )
    model: Any = copy.deepcopy(pretrained.load_encoder(reference))
    side = int(model.config.vision_config.image_size)
    tower = _without(model, "text_model", "text_projection")
    return ImageTower(tower, read_preparation(folder, side))


def _without(model: Any, *names: str) -> Any:
    """A model without the parts that are not used, so that they are not trained or moved."""
    for name in names:
        if getattr(model, name, None) is not None:
            setattr(model, name, None)
    for name in ("logit_scale", "logit_bias"):
        if isinstance(getattr(model, name, None), nn.Parameter):
            getattr(model, name).requires_grad_(False)
    return model


def _dense(folder: Path) -> nn.Module:
    """The dense layers of a sentence-transformers folder, behind its mean pooling.

    Raises:
        ModelError: for another pooling than the mean, or a module that is not known here.
    """
    listed = folder / "modules.json"
    layers: list[nn.Module] = []
    if listed.is_file():
        for module in json.loads(listed.read_text("utf-8")):
            kind, path = str(module["type"]).rsplit(".", maxsplit=1)[-1], folder / module["path"]
            if kind == "Pooling":
                said = json.loads((path / "config.json").read_text("utf-8"))
                other = [key for key, on in said.items() if key.startswith("pooling_mode_") and on]
                if other != ["pooling_mode_mean_tokens"] and said.get("pooling_mode") != "mean":
                    raise ModelError(f"{path}: only the mean over tokens is read, found {other}.")
            elif kind == "Dense":
                layers.append(_dense_layer(path))
            elif kind not in ("Transformer", "Normalize"):
                raise ModelError(f"{listed}: a module {module['type']} is not known here.")
    return nn.Sequential(*layers)


def _dense_layer(path: Path) -> nn.Module:
    said = json.loads((path / "config.json").read_text("utf-8"))
    layer = nn.Linear(said["in_features"], said["out_features"], bias=said.get("bias", True))
    if (path / "model.safetensors").is_file():
        from safetensors.torch import load_file

        state = load_file(path / "model.safetensors")
    else:
        state = torch.load(path / "pytorch_model.bin", weights_only=True, map_location="cpu")
    layer.load_state_dict({name.removeprefix("linear."): value for name, value in state.items()})
    wanted = str(said.get("activation_function", "torch.nn.modules.activation.Tanh"))
    if wanted not in _ACTIVATIONS:
        raise ModelError(f"{path}: the activation {wanted} is not known here.")
    return nn.Sequential(layer, _ACTIVATIONS[wanted]())


def tokenised(reference: str, texts: Sequence[str], max_length: int) -> dict[str, Tensor]:
    """Tokens of texts as their tower takes them, int64 (texts, length) each.

    Args:
        reference: Of the tower's model.
        texts: The texts.
        max_length: Tokens at most; never more than the model has positions.
    """
    network: Any = pretrained.load_encoder(reference)
    tokenizer = pretrained.load_tokenizer(reference)
    own = getattr(network.config, "text_config", network.config)
    limit = min(max_length, tokenizer.model_max_length, _positions(own))
    siglip = _kind(pretrained.locate(reference)).startswith("siglip")
    given = tokenizer(
        list(texts),
        truncation=True,
        max_length=limit,
        # SigLIP was trained on texts padded to the full length, and reads padding.
        padding="max_length" if siglip else True,
        return_tensors="pt",
    )
    names = ("input_ids",) if siglip else ("input_ids", "attention_mask")
    return {name: given[name] for name in names}


def _positions(config: Any) -> int:
    """Tokens that a model has positions for; RoBERTa's kind counts from behind padding's id."""
    positions = int(getattr(config, "max_position_embeddings", 512))
    offset = config.model_type in ("roberta", "xlm-roberta", "camembert")
    return positions - (int(config.pad_token_id) + 1 if offset else 0)
