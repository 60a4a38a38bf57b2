"""Pretrained encoders: from what the user typed to weights, a tokenizer and a fingerprint.

A reference is an alias (a file of trainables/encoders), a local folder, or a Hugging Face hub id.
Hub weights are taken from the local cache first, and downloaded once. Only safetensors, or pickled
weights through torch's weights_only loader, are ever read.
"""

from __future__ import annotations

import difflib
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
        name: The alias.
        hub_id: On the Hugging Face hub; None where it comes with a package.
        parameters: How many weights it has.
        licence: As its card states.
        about: What it is, in a line.
        folder: Gives the folder of a packaged model; None for a hub model.
    """

    name: str
    hub_id: str | None
    parameters: int
    licence: str
    about: str
    folder: Callable[[], Path] | None = None


def resolve_model(reference: str) -> str:
    """A reference that means the same in every process: a folder's path is made absolute.

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
    """Whether a reference is one of the names in `trainables/encoders`."""
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
        found = ", ".join(sorted(item.name for item in folder.iterdir())[:10])
        raise ModelError(
            f"Model folder {folder} has no weights (model.safetensors or pytorch_model.bin), only: "
            f"{found}."
        )


@lru_cache(maxsize=16)
def locate(reference: str) -> Path:
    """The folder that holds a model's files on this machine, downloaded if need be.

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
        near = difflib.get_close_matches(reference, names, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        reason = str(error).strip().splitlines()[0][:200]
        raise ModelError(
            f"Model {reference!r} is no alias and no folder, and the hub gave nothing for "
            f"{hub_id!r} ({type(error).__name__}: {reason}).{hint} Aliases: {', '.join(names)}. "
            "Without a network, give a folder or the packaged 'minilm'."
        ) from error


@lru_cache(maxsize=16)
def model_fingerprint(reference: str) -> str:
    """sha256 of a model's config, weights and tokenizer files: contents, never the path.

    Raises:
        ModelError: as `locate`.
    """
    folder = locate(reference)
    digest = hashlib.sha256()
    # The hub's README and the like do not decide what is trained.
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
        # What is done to images before, and sentence-transformers' layers behind.
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
    """The tokenizer of a model, kept for the life of the process.

    Raises:
        ModelError: if the model has none.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            locate(reference),
            local_files_only=True,
            trust_remote_code=False,  # unsaid, a folder with code of its own makes it ask
        )
    except (OSError, ValueError) as error:
        raise ModelError(f"Model {reference!r} has no usable tokenizer: {error}") from error
    return tokenizer


Pooler = tuple["Tensor", "Tensor"]
"""Weight (width, width) and bias (width,) of an encoder's own pooler: tanh(W first token + b)."""

_poolers: dict[str, Pooler] = {}


def pretrained_pooler(reference: str) -> Pooler | None:
    """The pooler that came with an encoder's weights; None where they have none.

    `load_encoder` leaves it out. Where a checkpoint lacks one, transformers would draw one.

    Raises:
        ModelError: if the weights cannot be loaded.
    """
    load_encoder(reference)
    return _poolers.get(reference)


@lru_cache(maxsize=2)
def load_encoder(reference: str) -> PreTrainedModel:
    """The pretrained encoder, kept for the life of the process: copy it, never train it.

    Raises:
        ModelError: if the weights cannot be loaded.
    """
    # A worker has no terminal to draw a bar on.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    import torch
    from transformers import AutoModel
    from transformers.utils import logging as hf_logging

    hf_logging.disable_progress_bar()
    verbosity = hf_logging.get_verbosity()
    hf_logging.set_verbosity_error()  # a head that is left out is what we want
    try:
        model: PreTrainedModel
        model, loaded = AutoModel.from_pretrained(
            locate(reference),
            local_files_only=True,
            trust_remote_code=False,
            dtype=torch.float32,
            weights_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError) as error:
        raise ModelError(f"Model {reference!r} cannot be loaded: {error}") from error
    finally:
        hf_logging.set_verbosity(verbosity)
    if getattr(model, "pooler", None) is not None:
        dense = getattr(model.pooler, "dense", None)
        drawn = any(name.startswith("pooler.") for name in loaded["missing_keys"])
        if isinstance(dense, torch.nn.Linear) and not drawn:
            _poolers[reference] = (dense.weight.detach().clone(), dense.bias.detach().clone())
        # Its output is not used here; its weights would be saved, synchronised and decayed for
        # nothing.
        model.pooler = None  # type: ignore[assignment]
    return model


def real_tokens(inputs: Mapping[str, Tensor]) -> Tensor:
    """Which tokens of a batch are no padding, bool (batch, length).

    Args:
        inputs: With `attention_mask`, (batch, length), or (batch, 1, 1, length) as stacks have it.
    """
    mask = inputs["attention_mask"]
    return (mask if mask.ndim == 2 else mask[:, 0, 0]).bool()


def hidden_dropout(encoder: PreTrainedModel) -> float:
    """The share of hidden values that an encoder drops; architectures name it differently."""
    for name in ("hidden_dropout_prob", "dropout", "hidden_dropout"):
        value = getattr(encoder.config, name, None)
        if value is not None:
            return float(value)
    return 0.0
