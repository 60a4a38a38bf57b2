"""Faults of files: cut, missing, a pointer, a page, a config of something else."""

from __future__ import annotations

from pathlib import Path

from tests.broken_models.changes import (
    PAGE,
    PART,
    PICKLED,
    POINTER,
    SAFE,
    Planted,
    breaks,
    changed,
    pickled,
    save,
    shards,
    tensors,
)


@breaks("weights are a git-lfs pointer")
def _(folder: Path) -> str:
    (folder / SAFE).write_bytes(POINTER)
    return "model.safetensors of model .* is a git-lfs pointer"


@breaks("weights are empty")
def _(folder: Path) -> str:
    (folder / SAFE).write_bytes(b"")
    return "model.safetensors of model .* is empty"


@breaks("weights are cut in half")
def _(folder: Path) -> str:
    whole = (folder / SAFE).read_bytes()
    (folder / SAFE).write_bytes(whole[: len(whole) // 2])
    return "model.safetensors of model .* is cut off or damaged"


@breaks("weights are cut within their header")
def _(folder: Path) -> str:
    (folder / SAFE).write_bytes((folder / SAFE).read_bytes()[:300])
    return "model.safetensors of model .* is cut off or damaged"


@breaks("weights are a web page")
def _(folder: Path) -> str:
    (folder / SAFE).write_bytes(PAGE)
    return "model.safetensors of model .* is a web page"


@breaks("weights are a pickle called safetensors")
def _(folder: Path) -> str:
    pickled(folder, tensors(folder))
    (folder / PICKLED).rename(folder / SAFE)
    return "model.safetensors of model .* is a PyTorch checkpoint"


@breaks("weights are a dangling link")
def _(folder: Path) -> str:
    (folder / SAFE).unlink()
    (folder / SAFE).symlink_to(folder / "blobs" / "53aa5117")
    return "model.safetensors of model .* is a link to a file that is not there"


@breaks("weights are missing")
def _(folder: Path) -> str:
    (folder / SAFE).unlink()
    return "has no weights"


@breaks("weights are of another framework")
def _(folder: Path) -> str:
    (folder / SAFE).rename(folder / "tf_model.h5")
    return "has no weights .*tf_model.h5"


@breaks("a shard is missing")
def _(folder: Path) -> str:
    (folder / shards(folder)[1]).unlink()
    return "lacks model-00002-of-00002.safetensors"


@breaks("a shard is a git-lfs pointer")
def _(folder: Path) -> str:
    (folder / shards(folder)[1]).write_bytes(POINTER)
    return "model-00002-of-00002.safetensors of model .* is a git-lfs pointer"


@breaks("shards without their index")
def _(folder: Path) -> str:
    shards(folder)
    (folder / f"{SAFE}.index.json").unlink()
    return "no model.safetensors.index.json"


@breaks("an index of shards is cut")
def _(folder: Path) -> str:
    shards(folder)
    index = folder / f"{SAFE}.index.json"
    index.write_text(index.read_text("utf-8")[:99], encoding="utf-8")
    return "model.safetensors.index.json of model .* is no sound JSON"


@breaks("a pickle is cut")
def _(folder: Path) -> str:
    pickled(folder, tensors(folder))
    whole = (folder / PICKLED).read_bytes()
    (folder / PICKLED).write_bytes(whole[: len(whole) // 2])
    return "pytorch_model.bin of model .* is cut off or damaged"


@breaks("a pickle holds code")
def _(folder: Path) -> str:
    pickled(folder, {"embeddings.word_embeddings.weight": Planted()})
    return "pytorch_model.bin of model .* cannot be read as tensors alone"


@breaks("a pickle holds a whole checkpoint")
def _(folder: Path) -> str:
    pickled(folder, {"model": tensors(folder), "epoch": 3})
    return "pytorch_model.bin of model .* holds more than tensors"


@breaks("config.json is missing")
def _(folder: Path) -> str:
    (folder / "config.json").unlink()
    return "has no config.json: it is not a saved model"


@breaks("config.json is an adapter's")
def _(folder: Path) -> str:
    (folder / "config.json").rename(folder / "adapter_config.json")
    return "has no config.json: it is an adapter's folder"


@breaks("an adapter lies beside the weights")
def _(folder: Path) -> str:
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}', encoding="utf-8")
    return "has an adapter"


@breaks("config.json is cut")
def _(folder: Path) -> str:
    file = folder / "config.json"
    file.write_text(file.read_text("utf-8")[:100], encoding="utf-8")
    return "config.json of model .* is no sound JSON"


@breaks("config.json is a list")
def _(folder: Path) -> str:
    (folder / "config.json").write_text("[]", encoding="utf-8")
    return "config.json of model .* must hold a JSON object, found a list"


@breaks("config.json is a git-lfs pointer")
def _(folder: Path) -> str:
    (folder / "config.json").write_bytes(POINTER)
    return "config.json of model .* is a git-lfs pointer"


@breaks("config.json names no type")
def _(folder: Path) -> str:
    changed(folder, model_type=None)
    return "names no model_type"


@breaks("config.json names an unknown type")
def _(folder: Path) -> str:
    changed(folder, model_type="berta")
    return "has the model_type 'berta', which this transformers does not know"


@breaks("config.json names code")
def _(folder: Path) -> str:
    changed(folder, model_type="mine", auto_map={"AutoModel": "modeling.Mine"})
    return "needs code of its own"


@breaks("config.json has a word for a number")
def _(folder: Path) -> str:
    changed(folder, hidden_size="wide")
    return "config.json of model .* has values that its type does not take"


@breaks("config.json has a layer too many, by nine digits")
def _(folder: Path) -> str:
    changed(folder, num_hidden_layers=10**9)
    return "config.json of model .* speaks of 1,000,000,000 layers"


@breaks("config.json has heads that do not divide the width")
def _(folder: Path) -> str:
    changed(folder, num_attention_heads=5)
    return "not a multiple of the number of attention heads"


@breaks("weights are quantised, by config.json")
def _(folder: Path) -> str:
    changed(folder, quantization_config={"quant_method": "bitsandbytes", "load_in_8bit": True})
    return "is quantised"


@breaks("weights are quantised, by their kind")
def _(folder: Path) -> str:
    import torch

    state = tensors(folder)
    save(folder, state | {PART: state[PART].to(torch.int8)})
    return "holds weights of a few bits"
