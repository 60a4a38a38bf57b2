"""Models of another kind than an encoder of texts."""

from __future__ import annotations

from pathlib import Path

from tests.broken_models.changes import SHAPE, breaks, changed, random_model


@breaks("a decoder")
def _(folder: Path) -> str:
    random_model(folder, "gpt2", vocab_size=28, n_embd=32, n_layer=1, n_head=2, n_positions=128)
    return "model_type 'gpt2'. is a decoder"


@breaks("an encoder-decoder")
def _(folder: Path) -> str:
    random_model(
        folder, "t5", vocab_size=28, d_model=16, d_ff=16, d_kv=8, num_layers=1, num_heads=2
    )
    return "model_type 't5'. is an encoder-decoder"


@breaks("a BERT that reads as a decoder")
def _(folder: Path) -> str:
    changed(folder, is_decoder=True)
    return "is a decoder .is_decoder"


@breaks("a network that reads padding")
def _(folder: Path) -> str:
    small = {key: value for key, value in SHAPE.items() if key != "num_attention_heads"}
    random_model(folder, "fnet", **small, max_position_embeddings=64)
    return "a FNetModel. reads padding"


@breaks("a model of images")
def _(folder: Path) -> str:
    small = {**SHAPE, "image_size": 32, "patch_size": 16}
    random_model(
        folder, "vit", **{key: value for key, value in small.items() if key != "vocab_size"}
    )
    return "model_type 'vit'. looks at images"


@breaks("a pair of towers")
def _(folder: Path) -> str:
    vision = {**SHAPE, "image_size": 32, "patch_size": 16}
    text = {**SHAPE, "max_position_embeddings": 16}
    random_model(folder, "clip", text_config=text, vision_config=vision, projection_dim=16)
    return "is a pair of towers for images and texts"


@breaks("a classifier of foldrace's own")
def _(folder: Path) -> str:
    changed(folder, model_type="foldrace-pooled", auto_map={"AutoConfig": "modeling.PooledConfig"})
    return "is a classifier that foldrace saved"
