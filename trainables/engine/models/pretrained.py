"""Pretrained encoders: weights, tokenizer and fingerprint of a reference.

A reference is an alias (a file of trainables/encoders), a local folder, or a Hugging Face hub id.
Hub weights are taken from the local cache first, and downloaded once. Only safetensors, or pickled
weights through torch's weights_only loader, are ever read.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from trainables.engine import registry
from trainables.engine.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_PACKAGE = "trainables.encoders"
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?\Z")
_HUB_FILES = ["*.json", "*.txt", "*.model", "*.safetensors", "pytorch_model*.bin"]


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
        _check_folder(path)
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


def _check_folder(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise ModelError(f"Model folder {folder} has no config.json: it is not a saved model.")
    if not any(next(folder.glob(pattern), None) for pattern in _WEIGHTS):
        files = ", ".join(sorted(item.name for item in folder.iterdir())[:10])
        raise ModelError(
            f"Model folder {folder} has no weights (model.safetensors or pytorch_model.bin), only: "
            f"{files}."
        )


@lru_cache(maxsize=16)
def locate(reference: str) -> Path:
    """Return the folder of a model's files, downloaded if need be.

    Raises:
        ModelError: if it is not there and cannot be downloaded.
    """
    path = Path(reference).expanduser()
    if path.is_dir():
        _check_folder(path)
        return path.resolve()
    card = _alias(reference)
    if card is not None and card.folder is not None:
        return card.folder()
    hub_id = reference if card is None or card.hub_id is None else card.hub_id
    return _from_hub(reference, hub_id)


def _from_hub(reference: str, hub_id: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(hub_id, allow_patterns=_HUB_FILES, local_files_only=True))
    except (LocalEntryNotFoundError, ValueError):
        pass  # not downloaded before
    try:
        return Path(snapshot_download(hub_id, allow_patterns=_HUB_FILES, etag_timeout=5))
    except Exception as error:  # the hub's client raises a dozen types
        names = [name.replace("_", "-") for name in registry.names(_PACKAGE)]
        hint = registry.hint(reference, names)
        reason = str(error).strip().splitlines()[0][:200]
        raise ModelError(
            f"Model {reference!r} is no alias and no folder, and the hub gave nothing for "
            f"{hub_id!r} ({type(error).__name__}: {reason}).{hint} Aliases: {', '.join(names)}. "
            "Without a network, give a folder or the packaged 'minilm'."
        ) from error


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
    files = sorted({file for pattern in patterns for file in folder.glob(pattern)})
    safe = {file.parent for file in files if file.suffix == ".safetensors"}
    files = [file for file in files if file.suffix != ".bin" or file.parent not in safe]
    for file in files:
        digest.update(f"{file.name}:{file.stat().st_size}:".encode())
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()


@lru_cache(maxsize=2)
def load_tokenizer(reference: str) -> PreTrainedTokenizerBase:
    """Return the tokenizer of a model, kept for the process.

    Raises:
        ModelError: if the model has none.
    """
    from transformers import AutoTokenizer

    folder = locate(reference)
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,  # else a folder with code of its own makes it ask
        )
    except Exception as error:  # a damaged tokenizer.json raises nothing more special
        raise ModelError(f"Model {reference!r} has no usable tokenizer: {error}") from error
    return tokenizer


Pooler = tuple["Tensor", "Tensor"]
"""Weight (width, width) and bias (width,) of an encoder's own pooler: tanh(W first token + b)."""

_poolers: dict[str, Pooler] = {}


def pretrained_pooler(reference: str) -> Pooler | None:
    """Return the pooler of an encoder's weights; None without one.

    `load_encoder` leaves it out. Where a checkpoint lacks one, transformers draws a random one.

    Raises:
        ModelError: if the weights cannot be loaded.
    """
    load_encoder(reference)
    return _poolers.get(reference)


@lru_cache(maxsize=2)
def load_encoder(reference: str) -> PreTrainedModel:
    """Return the pretrained encoder, kept for the process.

    Copy it, never train it.

    Raises:
        ModelError: if the weights cannot be loaded.
    """
    # A worker has no terminal to draw a bar on.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModel
    from transformers.utils import logging as hf_logging

    hf_logging.disable_progress_bar()
    folder, verbosity = locate(reference), hf_logging.get_verbosity()
    hf_logging.set_verbosity_error()  # a head is left out on purpose
    try:
        model: PreTrainedModel
        model, loaded = AutoModel.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            dtype=torch.float32,
            weights_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(f"Model {reference!r} cannot be loaded: {error}") from error
    finally:
        hf_logging.set_verbosity(verbosity)
    if getattr(model, "pooler", None) is not None:
        dense = getattr(model.pooler, "dense", None)
        drawn = any(name.startswith("pooler.") for name in loaded["missing_keys"])
        if isinstance(dense, torch.nn.Linear) and not drawn:
            _poolers[reference] = (dense.weight.detach().clone(), dense.bias.detach().clone())
        # Its output has no use; its weights would be saved, synchronised and decayed for nothing.
        model.pooler = None  # type: ignore[assignment]
    return model


def real_tokens(inputs: Mapping[str, Tensor]) -> Tensor:
    """Return a mask of tokens that are no padding, bool (batch, length).

    Args:
        inputs: Batch with `attention_mask`, (batch, length), or (batch, 1, 1, length) in a stack.
    """
    mask = inputs["attention_mask"]
    return (mask if mask.ndim == 2 else mask[:, 0, 0]).bool()


def hidden_dropout(encoder: PreTrainedModel) -> float:
    """Return the share of hidden values that an encoder drops.

    Architectures name it differently.
    """
    for name in ("hidden_dropout_prob", "dropout", "hidden_dropout"):
        value = getattr(encoder.config, name, None)
        if value is not None:
            return float(value)
    return 0.0
