"""Files that a config names: word vectors, tables, or further models."""

from __future__ import annotations

from pathlib import Path

from trainables.engine import registry
from trainables.engine.features import table_folders, word_vectors
from trainables.engine.models import pretrained


def _is_model(reference: str) -> bool:
    """Tell if a reference is a model's folder, alias or hub id."""
    path = Path(reference).expanduser()
    if path.is_file():
        return False
    known = registry.names("trainables.encoders")
    return path.is_dir() or "/" in reference or reference.replace("-", "_") in known


def resolve(reference: str) -> str:
    """Make a reference the same in every folder: local paths are absolute.

    Raises:
        ModelError: for a folder that holds neither a model nor tables.
    """
    if table_folders.is_folder(reference):
        return table_folders.resolve(reference)
    return (
        pretrained.resolve_model(reference)
        if _is_model(reference)
        else word_vectors.resolve(reference)
    )


def fingerprint(reference: str) -> str:
    """sha256 of the contents of a reference, not of its path.

    Raises:
        InputError: if there is no such file or model.
    """
    if table_folders.is_folder(reference):
        return table_folders.fingerprint(reference)
    if _is_model(reference):
        return pretrained.model_fingerprint(reference)
    return word_vectors.fingerprint(reference)
