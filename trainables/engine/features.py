"""Frozen features: one vector a text, made once per data set and model and kept on disk.

A trainable of heads (`trainables/projection.py`, `trainables/linear_eval.py`) trains on these
instead of on tokens: the encoder runs once, and thousands of cells share what it gave. The files
are memory-mapped, so that the workers of a machine share them, too.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from filelock import FileLock
from torch import Tensor

from trainables.engine import batches, encoder, vocabulary
from trainables.engine.contract import canonical_json
from trainables.engine.textdata import TextData
from trainables.engine.wheel import cache_folder

Floats = npt.NDArray[np.float32]

_ROWS_AT_ONCE = 64
# Part of every file's name: raise it when the same inputs shall give other features.
_VERSION = 1


def _mean(tokens: Tensor, real: Tensor) -> Tensor:
    weights = real.unsqueeze(-1).to(tokens.dtype)
    return (tokens * weights).sum(dim=1) / weights.sum(dim=1)


def _first(tokens: Tensor, real: Tensor) -> Tensor:
    return tokens[:, 0]


# Name -> (hidden states (batch, length, width), real tokens (batch, length)) -> (batch, width).
REPRESENTATIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "encoder-mean": _mean,
    "encoder-first": _first,
}


@dataclass(frozen=True, kw_only=True)
class Representation:
    """Which features a head is trained on.

    Attributes:
        name: One of REPRESENTATIONS: mean over the real tokens of the encoder's last layer (padding
            never), or its first token.
        max_length: Tokens a text at most.
    """

    name: str
    max_length: int


@lru_cache(maxsize=8)
def load(data: TextData, model: str, representation: Representation) -> Tensor:
    """The features of every row, float32 (rows, width), from disk where they have been made before.

    Args:
        data: The texts.
        model: Reference of the encoder.
        representation: What to take of it.

    Raises:
        KeyError: for a representation that does not exist; a Config refuses it long before.
    """
    value = {
        "version": _VERSION,
        "data": data.fingerprint,
        "model": encoder.model_fingerprint(model),
        **asdict(representation),
    }
    name = hashlib.sha256(canonical_json(value).encode()).hexdigest()[:32]
    folder = cache_folder() / "features"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.npy"
    if not path.is_file():
        # One worker makes them, the others of this machine wait for it.
        with FileLock(folder / f"{name}.lock"):
            if not path.is_file():
                _write(path, _extract(data, model, representation))
    # Copy on write: torch wants memory that could be written, nobody writes it.
    return torch.from_numpy(np.load(path, mmap_mode="c"))


def _write(path: Path, features: Floats) -> None:
    """Under its name at once, so that a killed worker leaves no half of a file."""
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".draft", delete=False) as draft:
        np.save(draft, features)
        draft.flush()
        os.fsync(draft.fileno())
    Path(draft.name).replace(path)


@torch.inference_mode()
def _extract(data: TextData, model: str, representation: Representation) -> Floats:
    pool = REPRESENTATIONS[representation.name]
    tokens = batches.tokenised(data, model, representation.max_length)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = vocabulary.restricted(encoder.load_encoder(model), tokens.vocabulary)
    network = network.to(device).eval()  # type: ignore[arg-type]
    loader, _ = batches.loader(tokens, np.arange(len(data)), _ROWS_AT_ONCE, None)
    features = np.empty((len(data), network.config.hidden_size), np.float32)
    for batch in loader:
        del batch["labels"]
        rows = batch.pop("rows").numpy()
        inputs = {key: value.to(device) for key, value in batch.items()}
        hidden = network(**inputs).last_hidden_state
        features[rows] = pool(hidden, inputs["attention_mask"].bool()).float().cpu().numpy()
    return features
