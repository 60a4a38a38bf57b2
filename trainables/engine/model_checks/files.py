"""A model's files, checked before any of them is loaded.

Without torch: a wrong folder is refused within the first second of a command.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trainables.engine.errors import ModelError
from trainables.engine.file_kind import FileKind, kind_of

SAFE, PICKLED = "model.safetensors", "pytorch_model.bin"
# In the order in which transformers looks for them.
_WEIGHTS = (SAFE, f"{SAFE}.index.json", PICKLED, f"{PICKLED}.index.json")
_OBJECTS = (
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "preprocessor_config.json",
)
_VOCABULARIES = ("tokenizer.json", "vocab*", "merges.txt", "*.model", "spiece*", "*.tiktoken")
_ADAPTER = "adapter_config.json"
_PLAIN = (FileKind.TEXT, FileKind.BINARY)
_FLOATS = ("F64", "F32", "F16", "BF16")
_SHOWN = 10


def check_files(folder: Path, shown: str) -> None:
    """Refuse a folder whose files are not what their names say.

    Args:
        folder: Folder of the model.
        shown: Name of the model, for messages.

    Raises:
        ModelError: naming the file, what is wrong with it, and what to do.
    """
    try:
        config = model_config(folder, shown)
        if "quantization_config" in config:
            raise ModelError(
                f"Model {shown} is quantised (quantization_config in its config.json): such "
                "weights cannot be trained. Give the model that it was made from."
            )
        if (folder / _ADAPTER).is_file():
            raise ModelError(
                f"Model {shown} has an adapter ({_ADAPTER}) beside its weights, and it is unclear "
                "which are meant: merge them (merge_and_unload of peft), or remove the adapter."
            )
        for file in weight_files(folder, shown):
            check_weights(file, shown)
        for name in _OBJECTS:
            if (folder / name).exists():
                read_object(folder / name, shown)
        for pattern in _VOCABULARIES:
            for file in sorted(folder.glob(pattern)):
                _check_kind(file, shown, _PLAIN)
    except OSError as error:
        raise ModelError(f"Model {shown} cannot be read: {error}.") from error


def model_config(folder: Path, shown: str) -> dict[str, Any]:
    """Return what a folder's config.json says.

    Raises:
        ModelError: if it is missing, is no JSON object, or names no model_type.
    """
    file = folder / "config.json"
    if not file.is_file() and not file.is_symlink():
        adapter = ": it is an adapter's folder; merge it into its model first (merge_and_unload)"
        why = adapter if (folder / _ADAPTER).is_file() else ": it is not a saved model"
        raise ModelError(f"Model folder {folder} has no config.json{why}.")
    config = read_object(file, shown)
    kind = config.get("model_type")
    if not isinstance(kind, str) or not kind:
        raise ModelError(
            f"The config.json of model {shown} names no model_type, so the weights' kind is "
            'unknown: add it, such as "model_type": "bert".'
        )
    return config


def read_object(file: Path, shown: str) -> dict[str, Any]:
    """Return the JSON object that a file of a model holds.

    Raises:
        ModelError: if it holds anything else.
    """
    _check_kind(file, shown, (FileKind.TEXT,))
    try:
        found = json.loads(file.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelError(
            f"{file.name} of model {shown} is no sound JSON ({str(error)[:100]}): fetch it anew."
        ) from error
    if not isinstance(found, dict):
        raise ModelError(
            f"{file.name} of model {shown} must hold a JSON object, found a "
            f"{type(found).__name__}: fetch it anew."
        )
    return found


def weight_files(folder: Path, shown: str) -> list[Path]:
    """Return the files that a model's weights are read from.

    Raises:
        ModelError: if there are none, or a part is missing.
    """
    chosen = next((folder / name for name in _WEIGHTS if _is_listed(folder / name)), None)
    if chosen is None:
        raise ModelError(_without_weights(folder, shown))
    if chosen.suffix != ".json":
        return [chosen]
    parts = read_object(chosen, shown).get("weight_map")
    if not isinstance(parts, dict) or not parts:
        raise ModelError(f"{chosen.name} of model {shown} names no weights: fetch it anew.")
    names = sorted({str(name) for name in parts.values()})
    missing = [name for name in names if not _is_listed(folder / name)]
    if missing:
        raise ModelError(
            f"Model {shown} lacks {_listed(missing)}, of the {len(names)} files that "
            f"{chosen.name} names: fetch what is missing."
        )
    return [folder / name for name in names]


def has_vocabulary(folder: Path) -> bool:
    """Return True if a folder has a file of a tokenizer's words."""
    return any(next(folder.glob(pattern), None) for pattern in _VOCABULARIES)


def _is_listed(file: Path) -> bool:
    return file.is_file() or file.is_symlink()


def _listed(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _without_weights(folder: Path, shown: str) -> str:
    """Word the fault of a folder without weights."""
    names = sorted(item.name for item in folder.iterdir())
    parts = [name for name in names if name.startswith(("model-", "pytorch_model-"))]
    if parts:
        index = f"{SAFE if parts[0].endswith('.safetensors') else PICKLED}.index.json"
        return (
            f"Model {shown} has parts of its weights ({_listed(parts)}), but no {index} that says "
            "what is in them: fetch it, too."
        )
    return (
        f"Model folder {folder} has no weights ({SAFE} or {PICKLED}), only: {_listed(names)}. Save "
        "them as one of these."
    )


def _check_kind(file: Path, shown: str, fine: tuple[FileKind, ...]) -> None:
    if not file.exists():
        raise ModelError(
            f"{file.name} of model {shown} is a link to a file that is not there: fetch it anew."
        )
    kind = kind_of(file)
    if kind not in fine:
        raise ModelError(f"{file.name} of model {shown} is {kind.phrase}: {kind.advice}.")


def check_weights(file: Path, shown: str) -> None:
    """Refuse weights that are not whole, or no weights.

    Raises:
        ModelError: naming the file, what it is, and what to do.
    """
    if file.suffix != ".safetensors":
        _check_kind(file, shown, (FileKind.TORCH, FileKind.PICKLE, FileKind.ZIP))
        if kind_of(file) is FileKind.ZIP:
            raise ModelError(f"{file.name} of model {shown} is {_CUT}.")
        return
    _check_kind(file, shown, (FileKind.SAFETENSORS, *_PLAIN))
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np") as opened:
            whole = [
                name
                for name in opened.keys()  # noqa: SIM118  a handle, not a mapping
                if name.endswith(".weight") and opened.get_slice(name).get_dtype() not in _FLOATS
            ]
    except SafetensorError as error:
        raise ModelError(f"{file.name} of model {shown} is {_CUT} ({error}).") from error
    if whole:
        raise ModelError(
            f"{file.name} of model {shown} holds weights of a few bits ({_listed(whole[:2])}): it "
            "is quantised, and cannot be trained. Give the model that it was made from."
        )


_CUT = "cut off or damaged, as by a download that was broken off: fetch it anew"
