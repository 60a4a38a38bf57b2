"""Towers that read texts and images: CLIP, SigLIP and their replacements.

A text tower is that of CLIP or SigLIP, a sentence-transformers folder (mean pooling and dense
layers, as clip-ViT-B-32-multilingual-v1 has), or any encoder with a mean over its tokens. An image
tower is that of CLIP or SigLIP, or the packaged efficientnet-lite0.
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
from trainables.engine.images.preprocessing import Preparation, read_preparation
from trainables.engine.model_checks import files, kinds, weights
from trainables.engine.model_checks.foreign_errors import refused
from trainables.engine.models import efficientnet_lite, pretrained
from trainables.engine.models.pooling import mean_over_tokens

_ACTIVATIONS = {
    "torch.nn.modules.linear.Identity": nn.Identity,
    "torch.nn.modules.activation.Tanh": nn.Tanh,
    "torch.nn.modules.activation.ReLU": nn.ReLU,
    "torch.nn.modules.activation.GELU": nn.GELU,
}


class TextTower(nn.Module):
    """A network from tokens to a vector a text.

    Args:
        network: Model of transformers.
        dense: Layers behind the mean over tokens; None for a model with a text tower.
    """

    def __init__(self, network: nn.Module, dense: nn.Module | None) -> None:
        super().__init__()
        self.network, self.dense = network, dense

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return the vectors of some texts, (texts, width).

        Inputs are `input_ids` and `attention_mask`, (texts, length).
        """
        network: Any = self.network
        if self.dense is None:
            return _pooled(network.get_text_features(**inputs))
        hidden = network(**inputs).last_hidden_state
        vectors: Tensor = self.dense(mean_over_tokens(hidden, inputs["attention_mask"].bool()))
        return vectors


class ImageTower(nn.Module):
    """A network from pixels to a vector an image.

    Args:
        network: Model of transformers with get_image_features, or a module from pixels to vectors.
        preparation: Preprocessing of images.
    """

    def __init__(self, network: nn.Module, preparation: Preparation) -> None:
        super().__init__()
        self.network, self.preparation = network, preparation

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the vectors of some images, (images, width).

        Pixels are uint8 (images, 3, height, width).
        """
        network: Any = self.network
        values = self.preparation.normalised(pixels)
        if hasattr(network, "get_image_features"):
            return _pooled(network.get_image_features(pixel_values=values))
        vectors: Tensor = network(values)
        return vectors


def _pooled(output: Any) -> Tensor:
    vectors: Tensor = output if isinstance(output, Tensor) else output.pooler_output
    return vectors


@lru_cache(maxsize=4)
def text_tower(reference: str) -> TextTower:
    """Return a text tower, kept for the process.

    Copy it, never train it.

    Raises:
        ModelError: if the model cannot read texts.
    """
    folder = pretrained.locate(reference)
    if not pretrained.is_paired(reference):
        return TextTower(pretrained.load_encoder(reference), _dense(folder))
    network = copy.deepcopy(pretrained.load_towers(reference))
    return TextTower(_without(network, "vision_model", "visual_projection"), None)


@lru_cache(maxsize=4)
def image_tower(reference: str) -> ImageTower:
    """Return an image tower, kept for the process.

    Copy it, never train it.

    Raises:
        ModelError: if the model has none.
    """
    folder = pretrained.locate(reference)
    kind = kinds.check_kind(folder, repr(reference))
    if kind == kinds.IMAGES:
        network: nn.Module = efficientnet_lite.load(folder)
        return ImageTower(network, read_preparation(folder, efficientnet_lite.SIDE))
    if kind not in kinds.PAIRED:
        raise ModelError(
            f"Model {reference!r} (a {kind}) cannot look at images here: give a CLIP or SigLIP "
            "model with --model, or another image encoder such as "
            "--fix image_encoder=efficientnet-lite0."
        )
    model: Any = copy.deepcopy(pretrained.load_towers(reference))
    side = int(model.config.vision_config.image_size)
    tower = _without(model, "text_model", "text_projection")
    return ImageTower(tower, read_preparation(folder, side))


def _without(model: Any, *names: str) -> Any:
    """Return a model without unused parts.

    They are then neither trained nor moved.
    """
    for name in names:
        if getattr(model, name, None) is not None:
            setattr(model, name, None)
    for name in ("logit_scale", "logit_bias"):
        if isinstance(getattr(model, name, None), nn.Parameter):
            getattr(model, name).requires_grad_(False)
    return model


def _dense(folder: Path) -> nn.Module:
    """Return the dense layers of a sentence-transformers folder.

    They stand behind its mean pooling.

    Raises:
        ModelError: for another pooling than the mean, or a module that is not known here.
    """
    listed = folder / "modules.json"
    layers: list[nn.Module] = []
    found = f"The layers that {listed} names cannot be read"
    with refused(found, "fetch the model anew."):
        modules = json.loads(listed.read_text("utf-8")) if listed.is_file() else []
        for module in modules:
            kind, path = str(module["type"]).rsplit(".", maxsplit=1)[-1], folder / module["path"]
            if kind == "Pooling":
                _check_pooling(path)
            elif kind == "Dense":
                layers.append(_dense_layer(path))
            elif kind not in ("Transformer", "Normalize"):
                raise ModelError(f"{listed}: a module {module['type']} is not known here.")
    return nn.Sequential(*layers)


def _check_pooling(path: Path) -> None:
    config = files.read_object(path / "config.json", repr(str(path)))
    modes = [key for key, on in config.items() if key.startswith("pooling_mode_") and on]
    if modes != ["pooling_mode_mean_tokens"] and config.get("pooling_mode") != "mean":
        raise ModelError(f"{path}: only the mean over tokens is read, found {modes}.")


def _dense_layer(path: Path) -> nn.Module:
    shown = repr(str(path))
    config = files.read_object(path / "config.json", shown)
    layer = nn.Linear(config["in_features"], config["out_features"], bias=config.get("bias", True))
    file = files.weight_files(path, shown)[0]
    files.check_weights(file, shown)
    if file.suffix == ".safetensors":
        from safetensors.torch import load_file

        state = load_file(file)
    else:
        weights.check_pickle(file, shown)
        state = torch.load(file, weights_only=True, map_location="cpu")
    layer.load_state_dict({name.removeprefix("linear."): value for name, value in state.items()})
    weights.check_numbers(layer, shown)
    activation = str(config.get("activation_function", "torch.nn.modules.activation.Tanh"))
    if activation not in _ACTIVATIONS:
        raise ModelError(f"{path}: the activation {activation} is not known here.")
    return nn.Sequential(layer, _ACTIVATIONS[activation]())


def tokenised(reference: str, texts: Sequence[str], max_length: int) -> dict[str, Tensor]:
    """Return tokens of texts for their tower, int64 (texts, length) each.

    Args:
        reference: Reference of the tower's model.
        texts: Texts.
        max_length: Largest number of tokens; never more than the model has positions.
    """
    tokenizer = pretrained.load_tokenizer(reference)
    kind = kinds.check_kind(pretrained.locate(reference), repr(reference))
    siglip = kind.startswith("siglip")
    tokens = tokenizer(
        list(texts),
        truncation=True,
        max_length=pretrained.text_limit(reference, max_length),
        # SigLIP was trained on texts padded to the full length, and reads padding.
        padding="max_length" if siglip else True,
        return_tensors="pt",
    )
    names = ("input_ids",) if siglip else ("input_ids", "attention_mask")
    return {name: tokens[name] for name in names}
