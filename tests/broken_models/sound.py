"""Changes that are no faults."""

from __future__ import annotations

from pathlib import Path

from tests.broken_models.changes import (
    PICKLED,
    POINTER,
    SAFE,
    changed,
    pickled,
    save,
    shards,
    sound,
    tensors,
)


@sound("a pooler that was not pretrained")
def _(folder: Path) -> None:
    save(folder, {k: v for k, v in tensors(folder).items() if "pooler" not in k})


@sound("heads, known and unknown")
def _(folder: Path) -> None:
    import torch

    own = {f"bert.{name}": value for name, value in tensors(folder).items()}
    heads = ("cls.predictions.bias", "classifier.weight", "my_head.dense.weight")
    save(folder, own | {name: torch.ones(3) for name in heads})


@sound("old names and constants")
def _(folder: Path) -> None:
    import torch

    names = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    state = tensors(folder)
    for name in list(state):
        for new, old in names.items():
            if name.endswith(new):
                state[name.replace(new, old)] = state.pop(name)
    save(folder, state | {"embeddings.position_ids": torch.arange(64)[None]})


@sound("shards")
def _(folder: Path) -> None:
    shards(folder)


@sound("a pickle of tensors")
def _(folder: Path) -> None:
    pickled(folder, tensors(folder))


@sound("an old pickle of tensors")
def _(folder: Path) -> None:
    import torch

    torch.save(tensors(folder), folder / PICKLED, _use_new_zipfile_serialization=False)
    (folder / SAFE).unlink()


@sound("padding that config.json names")
def _(folder: Path) -> None:
    changed(folder, "tokenizer_config.json", pad_token=None)
    changed(folder, pad_token_id=0)


@sound("a pointer that nothing reads")
def _(folder: Path) -> None:
    (folder / "tf_model.h5").write_bytes(POINTER)
