"""Saves a network as a Hugging Face folder, with its tokenizer.

`AutoModelForSequenceClassification` loads it, in one of two ways.

*Stock.* Where the classifier stands on the first token's vector and the encoder is BERT, RoBERTa,
ELECTRA or DistilBERT, the folder holds transformers' own class. Its head has a dense layer with an
activation in front of the last layer. With pooling=pooler ours is the same, layer by layer. Without
it ours has no such layer; but the two can be the same function:

    gelu   z = gelu(z) - gelu(-z)
    relu   z = relu(z) - relu(-z)
    tanh   z = tanh(s z) / s + O((s z)^2), s = 2^-14: logits up to 30 keep six digits

with z our logits, which the dense layer gives. Needs twice as many units as classes.

*Own code.* Every other network (a mean over tokens, a projection) comes with its class in
`modeling.py` beside the weights, loaded with trust_remote_code=True. Without it transformers
refuses: the folder's model type is none of its own, so that nobody gets a random head unawares.
"""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from trainables.engine.refit import _pooled_classifier
from trainables.engine.refit.network import FinalNetwork

_SMALL = 2.0**-14
# Activation in the head of transformers' own class, by the encoder's kind.
_KINDS = {"bert": "tanh", "roberta": "tanh", "electra": "gelu", "distilbert": "relu"}
_CODE = "modeling.py"
_TYPE = "foldrace-pooled"
_WRITTEN = (
    *("config.json", "model.safetensors", _CODE),
    *("adapter_config.json", "adapter_model.safetensors", "head.safetensors", "classifier.json"),
)


def is_stock(network: FinalNetwork) -> bool:
    """Tell if transformers' own class can hold the network."""
    return _head_of(network) is not None


def save(network: FinalNetwork, folder: Path) -> None:
    """Write a network and its tokenizer.

    Args:
        network: Trained network.
        folder: Folder to write, made if need be; a model in it is replaced.
    """
    cleared(folder)
    if is_stock(network):
        stock(network).save_pretrained(folder)
    else:
        _own(network, folder)
    save_tokenizer(network, folder)


def cleared(folder: Path) -> None:
    """Empty a folder of a saved model; make it if need be.

    One kind's files beside the other's would be loaded in their place.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in _WRITTEN:
        (folder / name).unlink(missing_ok=True)


def save_tokenizer(network: FinalNetwork, folder: Path) -> None:
    """Write a network's tokenizer, which cuts texts where training did."""
    tokenizer = network.tokenizer
    was = tokenizer.model_max_length
    try:
        # What truncation=True takes.
        tokenizer.model_max_length = network.max_length
        tokenizer.save_pretrained(folder)
    finally:
        tokenizer.model_max_length = was


def _head_of(network: FinalNetwork) -> str | None:
    """Kind of the stock head that fits; None where none does."""
    kind = _KINDS.get(network.encoder.config.model_type)
    if kind is None or network.pooling != "cls" or network.layer != "output":
        return None
    width, head = network.encoder.config.hidden_size, network.head
    if isinstance(head, nn.Sequential):
        dense, between, _ = head
        wide = isinstance(dense, nn.Linear) and dense.out_features == width
        return kind if wide and _activation_name(between) == kind else None
    return kind if 2 * len(network.label_names) <= width else None


def _activation_name(activation: nn.Module) -> str:
    """Name of the activation between two layers of a head."""
    return {nn.Tanh: "tanh", nn.GELU: "gelu", nn.ReLU: "relu"}[type(activation)]


@torch.no_grad()
def stock(network: FinalNetwork) -> PreTrainedModel:
    """Return a network as transformers' own class.

    Args:
        network: Network for which `is_stock` is true.
    """
    config = _named(network, copy.deepcopy(network.encoder.config))
    model: Any = AutoModelForSequenceClassification.from_config(config)
    body: Any = getattr(model, model.base_model_prefix)
    # Poolers stay as they were drawn, but for BERT's, which is the dense layer of its head.
    body.load_state_dict(network.encoder.state_dict(), strict=False)
    heads = {
        "bert": lambda: (body.pooler.dense, model.classifier),
        "roberta": lambda: (model.classifier.dense, model.classifier.out_proj),
        "electra": lambda: (model.classifier.dense, model.classifier.out_proj),
        "distilbert": lambda: (model.pre_classifier, model.classifier),
    }
    dense, out = heads[config.model_type]()
    classes = len(network.label_names)
    head: Any = network.head
    if isinstance(head, nn.Sequential):
        dense.load_state_dict(head[0].state_dict())
        out.load_state_dict(head[2].state_dict())
        stock: PreTrainedModel = model.eval()
        return stock
    weight = head.weight.detach().cpu()
    for layer in (dense, out):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    if _head_of(network) == "tanh":
        dense.weight[:classes] = _SMALL * weight
        out.weight[:, :classes] = torch.eye(classes) / _SMALL
    else:
        dense.weight[: 2 * classes] = torch.cat([weight, -weight])
        out.weight[:, : 2 * classes] = torch.cat([torch.eye(classes), -torch.eye(classes)], dim=1)
    out.bias.copy_(head.bias.detach().cpu())
    classifier: PreTrainedModel = model.eval()
    return classifier


def _named(network: FinalNetwork, config: Any) -> Any:
    config.id2label = dict(enumerate(network.label_names))
    config.label2id = {name: number for number, name in enumerate(network.label_names)}
    config.problem_type = "single_label_classification"
    return config


def _own(network: FinalNetwork, folder: Path) -> None:
    from safetensors.torch import save_file

    model = _pooled(network)
    model.encoder.load_state_dict(network.encoder.state_dict())
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    _describe(model.config, folder)


def save_head(network: FinalNetwork, folder: Path) -> None:
    """Write a network without its encoder.

    That is head, settings and the own class.
    """
    from safetensors.torch import save_file

    model = _pooled(network)
    state = {name: value.contiguous() for name, value in model.dense.state_dict().items()}
    save_file(state, folder / _pooled_classifier.HEAD, metadata={"format": "pt"})
    _describe(model.config, folder)


def _pooled(network: FinalNetwork) -> Any:
    """The own class with a network's head; its encoder is drawn."""
    layers = (
        [network.head] if isinstance(network.head, nn.Linear) else list(network.head.children())
    )
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    between = [layer for layer in layers if not isinstance(layer, nn.Linear)]
    module = _pooled_classifier
    encoder = network.encoder.config.to_dict()
    encoder.pop("_name_or_path", None)  # a place of this machine
    config = _named(
        network,
        module.PooledConfig(
            encoder=encoder,
            pooling=network.pooling,
            layer=network.layer,
            widths=[layer.out_features for layer in linear[:-1]],
            activation=_activation_name(between[0]) if between else "gelu",
        ),
    )
    model = module.PooledForSequenceClassification(config)
    for layer, learnt in zip(model.dense, linear, strict=True):
        layer.load_state_dict(learnt.state_dict())
    return model


def _describe(config: Any, folder: Path) -> None:
    described = {
        **json.loads(config.to_json_string()),
        "model_type": _TYPE,
        "architectures": ["PooledForSequenceClassification"],
        "auto_map": {
            "AutoConfig": "modeling.PooledConfig",
            "AutoModelForSequenceClassification": "modeling.PooledForSequenceClassification",
        },
    }
    (folder / "config.json").write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    shutil.copyfile(Path(_pooled_classifier.__file__), folder / _CODE)
