"""Towers of broken folders, and of models that have none: refused by name."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.broken_models import catalogue
from tests.trainables import clip_models
from trainables.engine.errors import ModelError
from trainables.engine.features.pair_embeddings import check_towers
from trainables.engine.models import pretrained


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip_models.clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def multilingual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sentence-transformers' own, on saving
        return clip_models.multilingual(tmp_path_factory.mktemp("multilingual") / "saved")


def test_sound_towers_pass(clip: Path, multilingual: Path, tiny_encoder: Path) -> None:
    check_towers(str(clip), str(clip))
    check_towers(str(multilingual), None)
    check_towers(str(tiny_encoder), None)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("a model of images", "a vit. cannot look at images here: give a CLIP or SigLIP"),
        ("a decoder", "a gpt2. cannot look at images here"),
        ("weights are a git-lfs pointer", "is a git-lfs pointer"),
    ],
)
def test_a_model_without_an_image_tower_is_refused(
    broken: str, words: str, tiny_encoder: Path, tmp_path: Path
) -> None:
    folder = catalogue.copy_of(tiny_encoder, tmp_path / "model")
    catalogue.BREAKS[broken](folder)
    with pytest.raises(ModelError, match=words):
        check_towers(None, str(folder))


@pytest.mark.parametrize("broken", ["a model of images", "a decoder", "an encoder-decoder"])
def test_a_model_without_a_text_tower_is_refused(
    broken: str, tiny_encoder: Path, tmp_path: Path
) -> None:
    folder = catalogue.copy_of(tiny_encoder, tmp_path / "model")
    words = catalogue.BREAKS[broken](folder)
    with pytest.raises(ModelError, match=words):
        check_towers(str(folder), None)


def test_a_pair_of_towers_lacks_none_of_its_weights(clip: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(clip, tmp_path / "model")
    state = load_file(folder / "model.safetensors")
    texts = {name: value for name, value in state.items() if not name.startswith("vision")}
    save_file(texts, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="is not whole: it lacks"):
        check_towers(str(folder), None)


@pytest.mark.parametrize("damage", ["pointer", "NaN", "shape", "gone", "json"])
def test_layers_behind_a_tower_are_checked_as_it_is(
    damage: str, multilingual: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(multilingual, tmp_path / "model")
    weights = folder / "2_Dense" / "model.safetensors"
    state = load_file(weights)
    if damage == "pointer":
        weights.write_text("version https://git-lfs.github.com/spec/v1\n")
    if damage == "gone":
        weights.unlink()
    if damage == "NaN":
        save_file({name: value * torch.nan for name, value in state.items()}, weights)
    if damage == "shape":
        save_file({name: value[1:].clone() for name, value in state.items()}, weights)
    if damage == "json":
        (folder / "modules.json").write_text(json.dumps([{"type": "x.Dense"}]))
    words = {
        "pointer": "is a git-lfs pointer",
        "gone": "has no weights",
        "NaN": "has NaN, infinite or absurdly",
        "shape": r"layers that .*modules.json names cannot be read .*size mismatch",
        "json": "layers that .*modules.json names cannot be read",
    }
    with pytest.raises(ModelError, match=words[damage]):
        check_towers(str(folder), None)
    pretrained.release()
