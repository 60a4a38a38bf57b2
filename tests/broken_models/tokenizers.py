"""Faults of tokenizers."""

from __future__ import annotations

import json
from pathlib import Path

from tests.broken_models.changes import POINTER, SHAPE, breaks, changed, random_model


@breaks("no tokenizer")
def _(folder: Path) -> str:
    for file in folder.glob("*token*"):
        file.unlink()
    return "has no tokenizer"


@breaks("a tokenizer without words")
def _(folder: Path) -> str:
    file = folder / "tokenizer.json"
    said = json.loads(file.read_text("utf-8"))
    vocabulary = said["model"]["vocab"]
    said["model"]["vocab"] = {word: at for word, at in vocabulary.items() if word.startswith("[")}
    file.write_text(json.dumps(said), encoding="utf-8")
    return "has no words in its tokenizer"


@breaks("a tokenizer that outgrows the embedding")
def _(folder: Path) -> str:
    file = folder / "tokenizer.json"
    said = json.loads(file.read_text("utf-8"))
    said["model"]["vocab"] |= {f"more{number}": 28 + number for number in range(100)}
    file.write_text(json.dumps(said), encoding="utf-8")
    return "goes up to token 127, but an embedding of 28 rows"


@breaks("a tokenizer that is cut")
def _(folder: Path) -> str:
    file = folder / "tokenizer.json"
    file.write_bytes(file.read_bytes()[:500])
    return "has a tokenizer that cannot be read"


@breaks("a tokenizer that is a git-lfs pointer")
def _(folder: Path) -> str:
    (folder / "tokenizer.json").write_bytes(POINTER)
    return "tokenizer.json of model .* is a git-lfs pointer"


@breaks("a tokenizer's config is a list")
def _(folder: Path) -> str:
    (folder / "tokenizer_config.json").write_text("[]", encoding="utf-8")
    return "tokenizer_config.json of model .* must hold a JSON object"


@breaks("a tokenizer with code of its own")
def _(folder: Path) -> str:
    changed(
        folder,
        "tokenizer_config.json",
        tokenizer_class="Mine",
        auto_map={"AutoTokenizer": ["tokenization.Mine", None]},
    )
    return "has a tokenizer that needs code of its own"


@breaks("a tokenizer without padding")
def _(folder: Path) -> str:
    changed(folder, "tokenizer_config.json", pad_token=None)
    changed(folder, pad_token_id=999)
    return "has no padding token"


@breaks("a tokenizer that cuts everything")
def _(folder: Path) -> str:
    changed(folder, "tokenizer_config.json", model_max_length=0)
    return "cuts texts to 0 tokens"


@breaks("a tokenizer without a token for unknown words")
def _(folder: Path) -> str:
    file = folder / "tokenizer.json"
    said = json.loads(file.read_text("utf-8"))
    said["model"]["unk_token"] = "<nothing>"
    file.write_text(json.dumps(said), encoding="utf-8")
    return "has a tokenizer that fails on a plain text"


@breaks("padding that shifts positions")
def _(folder: Path) -> str:
    random_model(folder, "roberta", **SHAPE, max_position_embeddings=66, pad_token_id=4)
    return "counts positions from behind padding, token 4"
