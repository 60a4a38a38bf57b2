"""What a config names beside the task's model: a file of word vectors, or a further model."""

from __future__ import annotations

from pathlib import Path

from trainables.engine import registry
from trainables.engine.features import word_vectors
from trainables.engine.models import pretrained


def _is_model(reference: str) -> bool:
    """Whether a reference is a model's: a folder, an alias, or a hub id with its owner."""
    path = Path(reference).expanduser()
    if path.is_file():
        return False
    known = registry.names("trainables.encoders")
    return path.is_dir() or "/" in reference or reference.replace("-", "_") in known


def resolve(reference: str) -> str:
    """A reference that means the same in every folder: a local path is made absolute.

    Raises:
        ModelError: for a folder that holds no model.
    """
    return (
        pretrained.resolve_model(reference)
        if _is_model(reference)
        else word_vectors.resolve(reference)
    )


def fingerprint(reference: str) -> str:
    """sha256 of the contents behind a reference; never of its path.

    Raises:
        InputError: if there is no such file or model.
    """
    if _is_model(reference):
        return pretrained.model_fingerprint(reference)
    return word_vectors.fingerprint(reference)
