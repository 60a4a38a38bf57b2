"""A winner with adapters: kept as a folder of peft, or merged; used alike in both forms."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mlflow import MlflowClient
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import search
from search.serving import hub
from tests.integration.sweep_shell import Shell

pytest.importorskip("peft")
# peft asks transformers by an old name.
pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("ignore::FutureWarning")]

TEXTS = ["the film was superb and warm", "an awful plot", "the end"]


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, reviews: Path) -> Shell:
    """A sweep of two configs with adapters and one without, on an encoder of its own."""
    folder = tmp_path_factory.mktemp("adapters")
    shutil.copytree(tiny_encoder, folder / "encoder")
    shell = Shell(folder, folder / "encoder", reviews)
    narrowed = ("--set", "k=2", "--set", "beta=0.9", "--fix", "learning_rate=0.02")
    axes = ("--set", "pooling=cls,mean", "--set", "lora_rank=0,2")
    shell.json("run", *shell.sweep, *narrowed, *axes, "--seeds", "2", "--name", "mine")
    with (folder / "new.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["body"], *([text] for text in TEXTS)])
    return shell


@pytest.fixture(scope="module")
def ranks(shell: Shell) -> dict[str, str]:
    """Rank of each config, by its pooling and the rank of its adapters."""
    rows = shell.json("leaderboard", "mine")["configs"]
    return {
        f"{row['config']['pooling']} {row['config']['lora_rank']}": str(place)
        for place, row in enumerate(rows, start=1)
    }


def says(folder: Path) -> np.ndarray[Any, Any]:
    """Probabilities of the texts by the lines that a card shows."""
    card = (folder / "README.md").read_text(encoding="utf-8")
    code = card.split("```python\n")[1].split("```")[0]
    # The folder is this test's own: its code may run unasked.
    found: dict[str, Any] = {"folder": str(folder), "texts": TEXTS}
    exec(code, found)
    result: np.ndarray[Any, Any] = found["probabilities"].detach().numpy()
    return result


def predicted(shell: Shell, *more: str) -> np.ndarray[Any, Any]:
    shell.json("predict", "mine", "--data", "new.csv", "--out", "said.csv", *more)
    with (shell.folder / "said.csv").open(newline="") as file:
        return np.array(
            [[float(row["p_blame"]), float(row["p_praise"])] for row in csv.DictReader(file)]
        )


@contextmanager
def without(encoder: Path) -> Iterator[None]:
    """An encoder that is gone for a while."""
    away = encoder.with_name("away")
    encoder.rename(away)
    try:
        yield
    finally:
        away.rename(encoder)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_the_folder_and_the_registered_model_say_the_same_merged_or_not(
    shell: Shell, ranks: dict[str, str], pooling: str
) -> None:
    words = ("promote", "mine", "--rank", ranks[f"{pooling} 2"], "--as", pooling, "--out", pooling)
    document = shell.json(*words)
    folder = shell.folder / pooling
    assert document["adapters_of"] == "encoder"
    assert document["trust_remote_code"] is (pooling == "mean")
    assert "--merge, which saves whole weights" in document["notes"][0]
    whole = (shell.folder / "encoder/model.safetensors").stat().st_size
    assert sum(file.stat().st_size for file in folder.glob("*.safetensors")) < whole / 4
    apart, served = says(folder), predicted(shell, "--model", pooling)
    np.testing.assert_allclose(served, apart, atol=1e-5)
    version = MlflowClient(f"sqlite:///{shell.folder}/mlflow.db").get_model_version(pooling, "1")
    assert json.loads(version.tags["base"])["name"] == "encoder"
    needed = MlflowClient(f"sqlite:///{shell.folder}/mlflow.db").get_model_version_download_uri(
        pooling, "1"
    )
    assert "peft==" in (Path(needed.removeprefix("file://")) / "requirements.txt").read_text()

    merged = shell.json(*words, "--merge")
    assert (merged["adapters_of"], merged["notes"], merged["version"]) == (None, [], 2)
    assert not list(folder.glob("adapter_*"))
    assert (folder / "model.safetensors").stat().st_size > whole / 2
    assert not [
        file for file in folder.iterdir() if str(shell.folder).encode() in file.read_bytes()
    ]
    np.testing.assert_allclose(says(folder), apart, atol=2e-5)
    with without(shell.folder / "encoder"):
        np.testing.assert_allclose(says(folder), apart, atol=2e-5)


def test_a_base_that_is_gone_or_another_is_told_with_the_way_out(
    shell: Shell, ranks: dict[str, str]
) -> None:
    out, err = shell.run(
        "promote", "mine", "--rank", ranks["cls 2"], "--as", "alone", "--out", "alone"
    )
    said = " ".join((out + err).split())
    assert "adapters of encoder: AutoPeftModelForSequenceClassification" in said
    encoder = shell.folder / "encoder"
    asked = ("predict", "mine", "--data", "new.csv", "--model", "alone")
    with without(encoder):
        for words in (asked, ("serve", "alone")):
            _, err = shell.run(*words, code=2)
            told = " ".join(err.split())
            assert "alone, version 1, is an adapter of the model encoder, and " in told
            assert "is not there: put it back, or promote it again with --merge" in told
    shutil.copytree(encoder, shell.folder / "kept")
    try:
        weights = encoder / "model.safetensors"
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(bytes(content))
        _, err = shell.run(*asked, code=2)
        assert "holds other weights than it was trained on" in " ".join(err.split())
    finally:
        shutil.rmtree(encoder)
        (shell.folder / "kept").rename(encoder)


def test_a_winner_without_adapters_has_none_to_merge(shell: Shell, ranks: dict[str, str]) -> None:
    for rank in (ranks["cls 0"], ranks["mean 0"]):
        _, err = shell.run("promote", "mine", "--rank", rank, "--merge", code=2)
        told = " ".join(err.split())
        assert "--merge puts adapters into the weights, and" in told
        assert "was trained without (lora_rank=0)" in told


def test_adapters_are_shared_without_a_place_of_this_machine_and_exported_whole(
    shell: Shell, ranks: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: dict[str, str] = {}

    def push(folder: Path, name: str, *, public: bool = False) -> str:
        sent.update((file.name, file.read_text(errors="replace")) for file in folder.iterdir())
        return f"https://hub/{name}"

    monkeypatch.setattr(hub, "check", lambda name: None)
    monkeypatch.setattr(hub, "push", push)
    words = ("promote", "mine", "--rank", ranks["mean 2"], "--as", "sent", "--out", "sent")
    document = shell.json(*words, "--push-to-hub", "me/sent", "--onnx", "model.onnx")
    assert document["onnx_difference"] <= 1e-4
    assert document["notes"][0].startswith("what was pushed holds adapters of the model encoder")
    assert set(sent) == {file.name for file in (shell.folder / "sent").iterdir()}
    assert "Load it from a folder, such as `huggingface_hub.snapshot_download`" in sent["README.md"]
    assert json.loads(sent["adapter_config.json"])["base_model_name_or_path"] == "encoder"
    assert not [name for name, text in sent.items() if str(shell.folder) in text]
    kept = json.loads((shell.folder / "sent/adapter_config.json").read_text())
    assert kept["base_model_name_or_path"] == str((shell.folder / "encoder").resolve())


def test_python_promotes_and_explains_it(
    shell: Shell, ranks: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shell.folder)
    result = search.load("mine", tracking_uri=f"sqlite:///{shell.folder}/mlflow.db")
    rank = int(ranks["mean 2"])
    champion = search.promote(result, rank=rank, folder=Path("py"), name="py", merge=True)
    assert champion.base is None
    tokenizer = AutoTokenizer.from_pretrained("py")
    model = AutoModelForSequenceClassification.from_pretrained("py", trust_remote_code=True)
    given = tokenizer(TEXTS, truncation=True, padding=True, return_tensors="pt")
    with torch.inference_mode():
        expected = model(**given).logits.softmax(-1).numpy()
    explained = shell.json("explain", "mine", "--rank", str(rank), "--text", TEXTS[0])
    assert explained["scores"] == "class activation map"
    assert explained["text"]["probability"] == pytest.approx(expected[0].max(), abs=1e-4)
