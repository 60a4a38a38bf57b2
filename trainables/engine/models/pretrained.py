"""Pretrained encoders: weights, tokenizer and fingerprint of a reference.

A reference is an alias (a file of trainables/encoders), a local folder, or a Hugging Face hub id.
Hub weights are taken from the local cache first, and downloaded once. Only safetensors, or pickled
weights through torch's weights_only loader, are ever read.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from trainables.engine import registry
from trainables.engine.errors import ModelError
from trainables.engine.model_checks import files, kinds, loading, positions, tokenizers
from trainables.engine.models import hub

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from trainables.engine.text_data import TextData

_PACKAGE = "trainables.encoders"
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?\Z")


@dataclass(frozen=True, kw_only=True)
class EncoderCard:
    """An encoder with a name of its own.

    Attributes:
        name: Alias.
        hub_id: Id on the Hugging Face hub; None where it comes with a package.
        parameters: Number of weights.
        licence: Licence, as its card states it.
        about: Description, in a line.
        folder: Function that gives the folder of a packaged model; None for a hub model.
    """

    name: str
    hub_id: str | None
    parameters: int
    licence: str
    about: str
    folder: Callable[[], Path] | None = None


def resolve_model(reference: str) -> str:
    """Return a reference that means the same in every process.

    The path of a folder is made absolute.

    Raises:
        ModelError: for a file, a folder without a model, or what cannot be an alias or a hub id.
    """
    path = Path(reference).expanduser()
    if path.is_dir():
        files.check_files(path, repr(reference))
        return str(path.resolve())
    if _alias(reference) is not None:
        return reference
    if path.exists() or not _HUB_ID.match(reference):
        known = ", ".join(name.replace("_", "-") for name in registry.names(_PACKAGE))
        what = "a file, not a folder" if path.exists() else "no folder and no hub id"
        raise ModelError(
            f"Model {reference!r} is {what}. Give an alias ({known}), a hub id, or the folder of a "
            "saved model."
        )
    return reference


def is_alias(reference: str) -> bool:
    """Return True for a name in `trainables/encoders`."""
    return reference.replace("-", "_") in registry.names(_PACKAGE)


def _alias(reference: str) -> EncoderCard | None:
    if not is_alias(reference):
        return None
    card: EncoderCard = registry.load(_PACKAGE, reference, "ENCODER")
    return card


def shown(reference: str) -> str:
    """Return a model's hub id, or its folder's name.

    It says nothing of this machine.
    """
    card = None if Path(reference).is_dir() else _alias(reference)
    if card is not None:
        return card.hub_id or card.name
    return Path(reference).name if Path(reference).is_dir() else reference


def hub_id(reference: str) -> str | None:
    """Return a model's id on the hub.

    None for a folder or a packaged model.
    """
    card = None if Path(reference).is_dir() else _alias(reference)
    if card is not None:
        return card.hub_id
    return None if Path(reference).is_dir() else reference


def licence_of(reference: str) -> str | None:
    """Return the licence of an alias's weights; None for other models."""
    card = None if Path(reference).is_dir() else _alias(reference)
    return None if card is None else card.licence


@lru_cache(maxsize=16)
def locate(reference: str) -> Path:
    """Return the folder of a model's files, downloaded if need be.

    Its files are what they claim to be, see `model_checks`.

    Raises:
        ModelError: if it is not there and cannot be downloaded, or a file is broken.
    """
    path = Path(reference).expanduser()
    card = None if path.is_dir() else _alias(reference)
    if path.is_dir():
        folder = path.resolve()
    elif card is not None and card.folder is not None:
        folder = card.folder()
    else:
        names = [name.replace("_", "-") for name in registry.names(_PACKAGE)]
        hub_id = reference if card is None or card.hub_id is None else card.hub_id
        return hub.fetched(hub_id, reference, names)
    files.check_files(folder, repr(reference))
    return folder


@lru_cache(maxsize=16)
def model_fingerprint(reference: str) -> str:
    """Return a digest of a model's config, weights and tokenizer.

    It is a sha256 of the files' contents, never of their path.

    Raises:
        ModelError: as `locate`.
    """
    folder = locate(reference)
    digest = hashlib.sha256()
    # The hub's README and the like have no effect on training.
    patterns = (
        "config.json",
        *_WEIGHTS,
        "tokenizer*",
        "vocab*",
        "merges.txt",
        "special_tokens*",
        "added_tokens.json",
        "*.model",
        "spiece*",
        # Preprocessing of images, and sentence-transformers' layers behind the encoder.
        "preprocessor_config.json",
        "*_Dense/*",
    )
    found = sorted({file for pattern in patterns for file in folder.glob(pattern)})
    safe = {file.parent for file in found if file.suffix == ".safetensors"}
    found = [file for file in found if file.suffix != ".bin" or file.parent not in safe]
    for file in found:
        digest.update(f"{file.name}:{file.stat().st_size}:".encode())
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()


@lru_cache(maxsize=2)
def load_tokenizer(reference: str) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a model, kept for the process.

    Raises:
        ModelError: if the model has none, or none that fits it.
    """
    return loading.load_tokenizer(locate(reference), repr(reference))


Pooler = tuple["Tensor", "Tensor"]
"""Weight (width, width) and bias (width,) of an encoder's own pooler: tanh(W first token + b)."""

# Attribute of an encoder that copies take along; no weight of it, nor saved with it.
_OWN_POOLER = "_own_pooler"


def pretrained_pooler(reference: str) -> Pooler | None:
    """Return the pooler of an encoder's weights; None without one.

    `load_encoder` leaves it out. Where a checkpoint lacks one, transformers draws a random one.

    Raises:
        ModelError: if the weights cannot be loaded.
    """
    return own_pooler(load_encoder(reference))


def own_pooler(encoder: PreTrainedModel) -> Pooler | None:
    """Return the pooler that came with an encoder; None without one.

    Args:
        encoder: Encoder of `load_encoder`, or a copy of it.
    """
    found: Pooler | None = vars(encoder).get(_OWN_POOLER)
    return found


@lru_cache(maxsize=2)
def load_encoder(reference: str) -> PreTrainedModel:
    """Return the pretrained encoder of texts, kept for the process.

    Copy it, never train it.

    Raises:
        ModelError: if it is none, or its weights or its tokenizer do not fit.
    """
    import torch

    from trainables.engine.model_checks import trial

    folder, shown = locate(reference), repr(reference)
    kinds.check_encoder(folder, shown)
    tokenizer = load_tokenizer(reference)
    model, missing = loading.load_network(folder, shown)
    kinds.check_words(model, shown)
    positions.check_padding(model, tokenizer, shown)
    trial.read_once(model, tokenizer, shown)
    if getattr(model, "pooler", None) is not None:
        dense = getattr(model.pooler, "dense", None)
        drawn = any(name.startswith("pooler.") for name in missing)
        if isinstance(dense, torch.nn.Linear) and not drawn:
            vars(model)[_OWN_POOLER] = (dense.weight.detach().clone(), dense.bias.detach().clone())
        # Its output has no use; its weights would be saved, synchronised and decayed for nothing.
        model.pooler = None  # type: ignore[assignment]
    return model


def check_encoder(reference: str, data: TextData) -> None:
    """Refuse a model that cannot encode the texts of a data set.

    Raises:
        ModelError: as `load_encoder`, or if hardly a word is known to the tokenizer.
    """
    from trainables.engine.model_checks import trial

    network, tokenizer, shown = load_encoder(reference), load_tokenizer(reference), repr(reference)
    tokenizers.check_reads(tokenizer, data.texts, shown)
    if data.texts_b is not None:
        trial.read_once(network, tokenizer, shown, pairs=True)


@lru_cache(maxsize=2)
def load_towers(reference: str) -> PreTrainedModel:
    """Return a model of two towers, kept for the process.

    Copy it, never train it. Its kind is one of `kinds.PAIRED`.

    Raises:
        ModelError: if its weights do not fit.
    """
    return loading.load_network(locate(reference), repr(reference))[0]


def release() -> None:
    """Forget the networks that this process keeps."""
    load_encoder.cache_clear()
    load_towers.cache_clear()


def text_limit(reference: str, max_length: int) -> int:
    """Return the number of tokens at which a model's texts are cut.

    Args:
        reference: Reference of an encoder, or of a model with a text tower.
        max_length: Number that a config allows; never more than the model has positions.
    """
    network = (load_towers if is_paired(reference) else load_encoder)(reference)
    return positions.text_limit(network, load_tokenizer(reference), max_length)


def is_paired(reference: str) -> bool:
    """Return True for a model of two towers."""
    return kinds.check_kind(locate(reference), repr(reference)) in kinds.PAIRED


def real_tokens(inputs: Mapping[str, Tensor]) -> Tensor:
    """Return a mask of tokens that are no padding, bool (batch, length).

    Args:
        inputs: Batch with `attention_mask`, (batch, length), or (batch, 1, 1, length) in a stack.
    """
    mask = inputs["attention_mask"]
    return (mask if mask.ndim == 2 else mask[:, 0, 0]).bool()
