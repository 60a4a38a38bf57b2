"""Model folders broken in one way each, and the words that say so.

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

_SAFE, _PICKLED = "model.safetensors", "pytorch_model.bin"
_POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db\nsize 90868376\n"
)
_PAGE = b"<!DOCTYPE html>\n<html><body>Sign in to go on</body></html>\n"
_PART = "encoder.layer.0.output.dense.weight"
_SHAPE = {
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


def _breaks(name: str) -> Callable[[Break], Break]:
    def enter(function: Break) -> Break:
        BREAKS[name] = function
        return function

    return enter


def _sound(name: str) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    def enter(function: Callable[[Path], None]) -> Callable[[Path], None]:
        SOUND[name] = function
        return function

    return enter


def _state(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return {name: value.clone() for name, value in load_file(folder / _SAFE).items()}


def _save(folder: Path, state: Mapping[str, Any], name: str = _SAFE) -> None:
    from safetensors.torch import save_file

    save_file(dict(state), folder / name, metadata={"format": "pt"})


def _pickle(folder: Path, value: Any) -> None:
    import torch

    torch.save(value, folder / _PICKLED)
    (folder / _SAFE).unlink()


def _changed(folder: Path, name: str = "config.json", **values: Any) -> None:
    """Change values of a JSON file; None takes one out."""
    file = folder / name
    read = json.loads(file.read_text("utf-8")) | values
    kept = {key: value for key, value in read.items() if value is not None}
    file.write_text(json.dumps(kept), encoding="utf-8")


def _renamed(folder: Path, prefix: str) -> None:
    _save(folder, {prefix + name: value for name, value in _state(folder).items()})


def _filled(folder: Path, value: float) -> None:
    state = _state(folder)
    state[_PART].fill_(value)
    _save(folder, state)


def _model(folder: Path, kind: str, **values: Any) -> None:
    """Another architecture with random weights, under the same tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.for_model(kind, **values)
    with torch.random.fork_rng():
        torch.random.manual_seed(3)
        AutoModel.from_config(config).save_pretrained(folder)


def _shards(folder: Path) -> list[str]:
    """Split the weights into two parts and an index; gives the parts' names."""
    state = _state(folder)
    parts = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    owner = {name: parts[at % 2] for at, name in enumerate(state)}
    for part in parts:
        _save(folder, {name: state[name] for name in state if owner[name] == part}, part)
    (folder / _SAFE).unlink()
    index = {"metadata": {"total_size": 1}, "weight_map": owner}
    (folder / f"{_SAFE}.index.json").write_text(json.dumps(index), encoding="utf-8")
    return parts


# Files


@_breaks("weights are a git-lfs pointer")
def _(folder: Path) -> str:
    (folder / _SAFE).write_bytes(_POINTER)
    return "model.safetensors of model .* is a git-lfs pointer"


@_breaks("weights are empty")
def _(folder: Path) -> str:
    (folder / _SAFE).write_bytes(b"")
    return "model.safetensors of model .* is empty"


@_breaks("weights are cut in half")
def _(folder: Path) -> str:
    whole = (folder / _SAFE).read_bytes()
    (folder / _SAFE).write_bytes(whole[: len(whole) // 2])
    return "model.safetensors of model .* is cut off or damaged"


@_breaks("weights are cut within their header")
def _(folder: Path) -> str:
    (folder / _SAFE).write_bytes((folder / _SAFE).read_bytes()[:300])
    return "model.safetensors of model .* is cut off or damaged"


@_breaks("weights are a web page")
def _(folder: Path) -> str:
    (folder / _SAFE).write_bytes(_PAGE)
    return "model.safetensors of model .* is a web page"


@_breaks("weights are a pickle called safetensors")
def _(folder: Path) -> str:
    _pickle(folder, _state(folder))
    (folder / _PICKLED).rename(folder / _SAFE)
    return "model.safetensors of model .* is a PyTorch checkpoint"


@_breaks("weights are a dangling link")
def _(folder: Path) -> str:
    (folder / _SAFE).unlink()
    (folder / _SAFE).symlink_to(folder / "blobs" / "53aa5117")
    return "model.safetensors of model .* is a link to a file that is not there"


@_breaks("weights are missing")
def _(folder: Path) -> str:
    (folder / _SAFE).unlink()
    return "has no weights"


@_breaks("weights are of another framework")
def _(folder: Path) -> str:
    (folder / _SAFE).rename(folder / "tf_model.h5")
    return "has no weights .*tf_model.h5"


@_breaks("a shard is missing")
def _(folder: Path) -> str:
    (folder / _shards(folder)[1]).unlink()
    return "lacks model-00002-of-00002.safetensors"


@_breaks("a shard is a git-lfs pointer")
def _(folder: Path) -> str:
    (folder / _shards(folder)[1]).write_bytes(_POINTER)
    return "model-00002-of-00002.safetensors of model .* is a git-lfs pointer"


@_breaks("shards without their index")
def _(folder: Path) -> str:
    _shards(folder)
    (folder / f"{_SAFE}.index.json").unlink()
    return "no model.safetensors.index.json"


@_breaks("an index of shards is cut")
def _(folder: Path) -> str:
    _shards(folder)
    index = folder / f"{_SAFE}.index.json"
    index.write_text(index.read_text("utf-8")[:99], encoding="utf-8")
    return "model.safetensors.index.json of model .* is no sound JSON"


@_breaks("a pickle is cut")
def _(folder: Path) -> str:
    _pickle(folder, _state(folder))
    whole = (folder / _PICKLED).read_bytes()
    (folder / _PICKLED).write_bytes(whole[: len(whole) // 2])
    return "pytorch_model.bin of model .* is cut off or damaged"


@_breaks("a pickle holds code")
def _(folder: Path) -> str:
    _pickle(folder, {"embeddings.word_embeddings.weight": Planted()})
    return "pytorch_model.bin of model .* cannot be read as tensors alone"


@_breaks("a pickle holds a whole checkpoint")
def _(folder: Path) -> str:
    _pickle(folder, {"model": _state(folder), "epoch": 3})
    return "pytorch_model.bin of model .* holds more than tensors"


@_breaks("config.json is missing")
def _(folder: Path) -> str:
    (folder / "config.json").unlink()
    return "has no config.json: it is not a saved model"


@_breaks("config.json is an adapter's")
def _(folder: Path) -> str:
    (folder / "config.json").rename(folder / "adapter_config.json")
    return "has no config.json: it is an adapter's folder"


@_breaks("an adapter lies beside the weights")
def _(folder: Path) -> str:
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}', encoding="utf-8")
    return "has an adapter"


@_breaks("config.json is cut")
def _(folder: Path) -> str:
    file = folder / "config.json"
    file.write_text(file.read_text("utf-8")[:100], encoding="utf-8")
    return "config.json of model .* is no sound JSON"


@_breaks("config.json is a list")
def _(folder: Path) -> str:
    (folder / "config.json").write_text("[]", encoding="utf-8")
    return "config.json of model .* must hold a JSON object, found a list"


@_breaks("config.json is a git-lfs pointer")
def _(folder: Path) -> str:
    (folder / "config.json").write_bytes(_POINTER)
    return "config.json of model .* is a git-lfs pointer"


@_breaks("config.json names no type")
def _(folder: Path) -> str:
    _changed(folder, model_type=None)
    return "names no model_type"


@_breaks("config.json names an unknown type")
def _(folder: Path) -> str:
    _changed(folder, model_type="berta")
    return "has the model_type 'berta', which this transformers does not know"


@_breaks("config.json names code")
def _(folder: Path) -> str:
    _changed(folder, model_type="mine", auto_map={"AutoModel": "modeling.Mine"})
    return "needs code of its own"


@_breaks("config.json has a word for a number")
def _(folder: Path) -> str:
    _changed(folder, hidden_size="wide")
    return "config.json of model .* has values that its type does not take"


@_breaks("config.json has a layer too many, by nine digits")
def _(folder: Path) -> str:
    _changed(folder, num_hidden_layers=10**9)
    return "config.json of model .* speaks of 1,000,000,000 layers"


@_breaks("config.json has heads that do not divide the width")
def _(folder: Path) -> str:
    _changed(folder, num_attention_heads=5)
    return "not a multiple of the number of attention heads"


@_breaks("weights are quantised, by config.json")
def _(folder: Path) -> str:
    _changed(folder, quantization_config={"quant_method": "bitsandbytes", "load_in_8bit": True})
    return "is quantised"


@_breaks("weights are quantised, by their kind")
def _(folder: Path) -> str:
    import torch

    state = _state(folder)
    _save(folder, state | {_PART: state[_PART].to(torch.int8)})
    return "holds weights of a few bits"


# Weights


@_breaks("weights are called module.<name>")
def _(folder: Path) -> str:
    _renamed(folder, "module.")
    return "would be drawn at random: .* called module.<name> in the file"


@_breaks("weights are called model.bert.<name>")
def _(folder: Path) -> str:
    _renamed(folder, "model.bert.")
    return "would be drawn at random: .* called model.bert.<name> in the file"


@_breaks("weights are one unrelated tensor")
def _(folder: Path) -> str:
    import torch

    _save(folder, {"x": torch.zeros(3)})
    return "would be drawn at random: it lacks 37 of its 37 weights"


@_breaks("weights lack a layer")
def _(folder: Path) -> str:
    _save(folder, {k: v for k, v in _state(folder).items() if "layer.1." not in k})
    return "is not whole: it lacks 16 of its 37 weights"


@_breaks("weights lack one tensor")
def _(folder: Path) -> str:
    _save(folder, {k: v for k, v in _state(folder).items() if k != _PART})
    return f"is not whole: it lacks 1 of its 37 weights .{_PART}"


@_breaks("weights have a layer more")
def _(folder: Path) -> str:
    _changed(folder, num_hidden_layers=1)
    return "has 16 weights more than its config.json has room for"


@_breaks("weights are of another width")
def _(folder: Path) -> str:
    _changed(folder, hidden_size=48)
    return "weights of model .* have another shape than its config.json says"


@_breaks("weights are of another type")
def _(folder: Path) -> str:
    _changed(folder, model_type="distilbert")
    return "would be drawn at random|is not whole"


@_breaks("a weight is NaN")
def _(folder: Path) -> str:
    _filled(folder, float("nan"))
    return f"has NaN, infinite or absurdly large numbers in 1 weight .{_PART}"


@_breaks("a weight is infinite")
def _(folder: Path) -> str:
    _filled(folder, float("-inf"))
    return "has NaN, infinite or absurdly large numbers"


@_breaks("a weight has a flipped bit")
def _(folder: Path) -> str:
    state = _state(folder)
    state[_PART][0, 0] = 3e37
    _save(folder, state)
    return "has NaN, infinite or absurdly large numbers"


@_breaks("a weight is all zeros")
def _(folder: Path) -> str:
    _filled(folder, 0.0)
    return "has nothing but zeros in 1 weight"


# Kinds


@_breaks("a decoder")
def _(folder: Path) -> str:
    _model(folder, "gpt2", vocab_size=28, n_embd=32, n_layer=1, n_head=2, n_positions=128)
    return "model_type 'gpt2'. is a decoder"


@_breaks("an encoder-decoder")
def _(folder: Path) -> str:
    _model(folder, "t5", vocab_size=28, d_model=16, d_ff=16, d_kv=8, num_layers=1, num_heads=2)
    return "model_type 't5'. is an encoder-decoder"


@_breaks("a BERT that reads as a decoder")
def _(folder: Path) -> str:
    _changed(folder, is_decoder=True)
    return "is a decoder .is_decoder"


@_breaks("a network that reads padding")
def _(folder: Path) -> str:
    small = {key: value for key, value in _SHAPE.items() if key != "num_attention_heads"}
    _model(folder, "fnet", **small, max_position_embeddings=64)
    return "a FNetModel. reads padding"


@_breaks("a model of images")
def _(folder: Path) -> str:
    small = {**_SHAPE, "image_size": 32, "patch_size": 16}
    _model(folder, "vit", **{key: value for key, value in small.items() if key != "vocab_size"})
    return "model_type 'vit'. looks at images"


@_breaks("a pair of towers")
def _(folder: Path) -> str:
    vision = {**_SHAPE, "image_size": 32, "patch_size": 16}
    text = {**_SHAPE, "max_position_embeddings": 16}
    _model(folder, "clip", text_config=text, vision_config=vision, projection_dim=16)
    return "is a pair of towers for images and texts"


@_breaks("a classifier of foldrace's own")
def _(folder: Path) -> str:
    _changed(folder, model_type="foldrace-pooled", auto_map={"AutoConfig": "modeling.PooledConfig"})
    return "is a classifier that foldrace saved"


# Tokenizers


@_breaks("no tokenizer")
def _(folder: Path) -> str:
    for file in folder.glob("*token*"):
        file.unlink()
    return "has no tokenizer"


@_breaks("a tokenizer without words")
def _(folder: Path) -> str:
    file = folder / "tokenizer.json"
    said = json.loads(file.read_text("utf-8"))
    vocabulary = said["model"]["vocab"]
    said["model"]["vocab"] = {word: at for word, at in vocabulary.items() if word.startswith("[")}
    file.write_text(json.dumps(said), encoding="utf-8")
    return "has no words in its tokenizer"


@_breaks("a tokenizer that outgrows the embedding")
def _(folder: Path) -> str:
    file = folder / "tokenizer.json"
    said = json.loads(file.read_text("utf-8"))
    said["model"]["vocab"] |= {f"more{number}": 28 + number for number in range(100)}
    file.write_text(json.dumps(said), encoding="utf-8")
    return "goes up to token 127, but an embedding of 28 rows"


@_breaks("a tokenizer that is cut")
def _(folder: Path) -> str:
    file = folder / "tokenizer.json"
    file.write_bytes(file.read_bytes()[:500])
    return "has a tokenizer that cannot be read"


@_breaks("a tokenizer that is a git-lfs pointer")
def _(folder: Path) -> str:
    (folder / "tokenizer.json").write_bytes(_POINTER)
    return "tokenizer.json of model .* is a git-lfs pointer"


@_breaks("a tokenizer's config is a list")
def _(folder: Path) -> str:
    (folder / "tokenizer_config.json").write_text("[]", encoding="utf-8")
    return "tokenizer_config.json of model .* must hold a JSON object"


@_breaks("a tokenizer with code of its own")
def _(folder: Path) -> str:
    _changed(
        folder,
        "tokenizer_config.json",
        tokenizer_class="Mine",
        auto_map={"AutoTokenizer": ["tokenization.Mine", None]},
    )
    return "has a tokenizer that needs code of its own"


@_breaks("a tokenizer without padding")
def _(folder: Path) -> str:
    _changed(folder, "tokenizer_config.json", pad_token=None)
    _changed(folder, pad_token_id=999)
    return "has no padding token"


@_breaks("a tokenizer that cuts everything")
def _(folder: Path) -> str:
    _changed(folder, "tokenizer_config.json", model_max_length=0)
    return "cuts texts to 0 tokens"


@_breaks("a tokenizer without a token for unknown words")
def _(folder: Path) -> str:
    file = folder / "tokenizer.json"
    said = json.loads(file.read_text("utf-8"))
    said["model"]["unk_token"] = "<nothing>"
    file.write_text(json.dumps(said), encoding="utf-8")
    return "has a tokenizer that fails on a plain text"


@_breaks("padding that shifts positions")
def _(folder: Path) -> str:
    _model(folder, "roberta", **_SHAPE, max_position_embeddings=66, pad_token_id=4)
    return "counts positions from behind padding, token 4"


# What is no fault


@_sound("a pooler that was not pretrained")
def _(folder: Path) -> None:
    _save(folder, {k: v for k, v in _state(folder).items() if "pooler" not in k})


@_sound("heads, known and unknown")
def _(folder: Path) -> None:
    import torch

    own = {f"bert.{name}": value for name, value in _state(folder).items()}
    heads = ("cls.predictions.bias", "classifier.weight", "my_head.dense.weight")
    _save(folder, own | {name: torch.ones(3) for name in heads})


@_sound("old names and constants")
def _(folder: Path) -> None:
    import torch

    names = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    state = _state(folder)
    for name in list(state):
        for new, old in names.items():
            if name.endswith(new):
                state[name.replace(new, old)] = state.pop(name)
    _save(folder, state | {"embeddings.position_ids": torch.arange(64)[None]})


@_sound("shards")
def _(folder: Path) -> None:
    _shards(folder)


@_sound("a pickle of tensors")
def _(folder: Path) -> None:
    _pickle(folder, _state(folder))


@_sound("an old pickle of tensors")
def _(folder: Path) -> None:
    import torch

    torch.save(_state(folder), folder / _PICKLED, _use_new_zipfile_serialization=False)
    (folder / _SAFE).unlink()


@_sound("padding that config.json names")
def _(folder: Path) -> None:
    _changed(folder, "tokenizer_config.json", pad_token=None)
    _changed(folder, pad_token_id=0)


@_sound("a pointer that nothing reads")
def _(folder: Path) -> None:
    (folder / "tf_model.h5").write_bytes(_POINTER)


def copy_of(sound: Path, folder: Path) -> Path:
    """Copy a sound folder over another, which is emptied first; gives the copy."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sound, folder)
    return folder
