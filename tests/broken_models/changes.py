"""What is done to a sound folder of a model, and the two lists of it.

`BREAKS` maps a name to a function that breaks a sound folder (the tests' `tiny_encoder`, copied) in
place, and gives the words to expect of the refusal. `SOUND` holds changes that are no faults.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Break = Callable[[Path], str]

BREAKS: dict[str, Break] = {}
SOUND: dict[str, Callable[[Path], None]] = {}

SAFE, PICKLED = "model.safetensors", "pytorch_model.bin"
POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db\nsize 90868376\n"
)
PAGE = b"<!DOCTYPE html>\n<html><body>Sign in to go on</body></html>\n"
PART = "encoder.layer.0.output.dense.weight"
SHAPE = {
    "vocab_size": 28,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}


class Planted:
    """An object that a pickle makes by a call of its own."""

    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("run by a pickle",)


def breaks(name: str) -> Callable[[Break], Break]:
    def enter(function: Break) -> Break:
        BREAKS[name] = function
        return function

    return enter


def sound(name: str) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    def enter(function: Callable[[Path], None]) -> Callable[[Path], None]:
        SOUND[name] = function
        return function

    return enter


def tensors(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return {name: value.clone() for name, value in load_file(folder / SAFE).items()}


def save(folder: Path, state: Mapping[str, Any], name: str = SAFE) -> None:
    from safetensors.torch import save_file

    save_file(dict(state), folder / name, metadata={"format": "pt"})


def pickled(folder: Path, value: Any) -> None:
    import torch

    torch.save(value, folder / PICKLED)
    (folder / SAFE).unlink()


def changed(folder: Path, name: str = "config.json", **values: Any) -> None:
    """Change values of a JSON file; None takes one out."""
    file = folder / name
    read = json.loads(file.read_text("utf-8")) | values
    kept = {key: value for key, value in read.items() if value is not None}
    file.write_text(json.dumps(kept), encoding="utf-8")


def renamed(folder: Path, prefix: str) -> None:
    save(folder, {prefix + name: value for name, value in tensors(folder).items()})


def filled(folder: Path, value: float) -> None:
    state = tensors(folder)
    state[PART].fill_(value)
    save(folder, state)


def random_model(folder: Path, kind: str, **values: Any) -> None:
    """Another architecture with random weights, under the same tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.for_model(kind, **values)
    with torch.random.fork_rng():
        torch.random.manual_seed(3)
        AutoModel.from_config(config).save_pretrained(folder)


def shards(folder: Path) -> list[str]:
    """Split the weights into two parts and an index; gives the parts' names."""
    state = tensors(folder)
    parts = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    owner = {name: parts[at % 2] for at, name in enumerate(state)}
    for part in parts:
        save(folder, {name: state[name] for name in state if owner[name] == part}, part)
    (folder / SAFE).unlink()
    index = {"metadata": {"total_size": 1}, "weight_map": owner}
    (folder / f"{SAFE}.index.json").write_text(json.dumps(index), encoding="utf-8")
    return parts


def copy_of(sound: Path, folder: Path) -> Path:
    """Copy a sound folder over another, which is emptied first; gives the copy."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sound, folder)
    return folder
