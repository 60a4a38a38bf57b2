"""A champion shared: on a hub of the test's own, and as ONNX."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from search.errors import InputError, LedgerError
from search.serving import hub
from tests.factories import config as config_of
from tests.integration.sweep_shell import Shell
from trainables.engine.contract import DataRef, Split, Task
from trainables.engine.datasets.load import load_data
from trainables.engine.errors import OnnxError
from trainables.engine.models import pretrained
from trainables.engine.refit import network, onnx_file, saved_model

pytestmark = pytest.mark.integration


class Hub(ThreadingHTTPServer):
    """As much of the hub as a push asks for; keeps the files that arrive."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.files: dict[str, bytes] = {}
        self.made: list[dict[str, Any]] = []
        self.cards: list[str] = []
        self.refuses = False


class _Answers(BaseHTTPRequestHandler):
    server: Hub

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if self.server.refuses:
            self._say(403, {"error": "you may not"})
        elif self.path == "/api/repos/create":
            self.server.made.append(json.loads(body))
            self._say(200, {"url": f"{self._root}/me/mine", "name": "me/mine"})
        elif self.path == "/api/validate-yaml":
            self.server.cards.append(json.loads(body)["content"])
            self._say(200, {"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(body)["files"]
            ]
            self._say(200, {"files": files})
        elif "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    value = line["value"]
                    self.server.files[value["path"]] = base64.b64decode(value["content"])
            self._say(200, {"commitUrl": f"{self._root}/me/mine/commit/1", "commitOid": "1" * 40})
        else:
            self._say(404, {"error": self.path})

    def do_GET(self) -> None:
        if self.path.startswith("/api/models/"):
            self._say(200, {"id": "me/mine", "sha": "0" * 40, "siblings": []})
        else:
            self._say(404, {"error": self.path})

    @property
    def _root(self) -> str:
        host, port = self.server.server_address[:2]
        return f"http://{host}:{port}"

    def _say(self, code: int, document: Any) -> None:
        text = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *values: Any) -> None:
        return


@pytest.fixture
def own_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub on this machine, and a login for it."""
    server = Hub()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_test")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def folders(
    tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, reviews: Path
) -> dict[str, Path]:
    """Folders of winners that pool the first token, and the mean."""
    ref = DataRef(name=str(reviews), text="body", label="verdict")
    data, made = load_data(ref), {}
    for pooling in ("cls", "mean"):
        task = Task(
            trainable="triple_entropy",
            version=1,
            data=ref,
            data_fingerprint=data.fingerprint,
            model=str(tiny_encoder),
            model_fingerprint=pretrained.model_fingerprint(str(tiny_encoder)),
            split=Split(folds=2),
        )
        trained = network.train(task, data, config_of("triple_entropy", pooling=pooling), 2)
        made[pooling] = tmp_path_factory.mktemp("winner") / pooling
        saved_model.save(trained, made[pooling])
    return made


@pytest.mark.parametrize(("public", "private"), [(False, True), (True, False)])
def test_the_whole_folder_is_pushed_private_unless_asked(
    own_hub: Hub, folders: dict[str, Path], public: bool, private: bool
) -> None:
    hub.check("me/mine")
    address = hub.push(folders["cls"], "me/mine", public=public)
    assert address.endswith("/me/mine")
    made = own_hub.made[0]
    assert made.get("visibility", made.get("private")) in (
        ("private", True) if private else ("public", False)
    ), made
    there = {path.name: path.read_bytes() for path in folders["cls"].iterdir()}
    assert own_hub.files == there


def test_a_hub_that_refuses_is_told_with_the_way_to_try_again(
    own_hub: Hub, folders: dict[str, Path]
) -> None:
    own_hub.refuses = True
    with pytest.raises(LedgerError, match=r"The hub did not take 'me/mine'.*hf upload me/mine"):
        hub.push(folders["cls"], "me/mine")


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("a/b/c", {}, "wants NAME or OWNER/NAME"),
        ("-bad", {}, "wants NAME or OWNER/NAME"),
        ("me/mine", {"HF_TOKEN": None}, "wants a login"),
    ],
)
def test_a_push_that_cannot_succeed_is_refused_before_any_training(
    own_hub: Hub,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    change: dict[str, Any],
    said: str,
) -> None:
    for variable in change:
        monkeypatch.delenv(variable)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(InputError, match=said):
        hub.check(name)


def test_an_offline_hub_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="HF_HUB_OFFLINE switches it off"):
        hub.check("me/mine")


def test_a_mean_pooled_winner_is_promoted_pushed_and_exported_by_command(
    own_hub: Hub, tmp_path: Path, tiny_encoder: Path, reviews: Path
) -> None:
    shell = Shell(tmp_path, tiny_encoder, reviews)
    words = [*shell.sweep[1:9], "--seeds", "2", "--folds", "2", "--strategy", "grid"]
    few = ("--configs", "reference", "--fix", "epochs=1", "--fix", "max_length=32")
    shell.json("run", "encoder_linear", *words, *few, "--name", "mine")
    more = ("--onnx", "model.onnx", "--push-to-hub", "me/mine")
    document = shell.json("promote", "mine", *more)
    assert document["onnx_difference"] <= 1e-4
    assert document["hub"].endswith("/me/mine")
    assert document["trust_remote_code"] is True
    card = own_hub.files["README.md"].decode()
    body = card.split("---\n", maxsplit=2)[2].strip()
    assert body.startswith("**Load it with `trust_remote_code=True`**")
    assert {"README.md", "config.json", "model.safetensors", "modeling.py"} <= set(own_hub.files)
    with pytest.raises(ValueError, match="trust_remote_code"):
        AutoModelForSequenceClassification.from_pretrained(
            tmp_path / document["folder"], trust_remote_code=False
        )
    out, err = shell.run("promote", "mine", *more)
    shown = " ".join((out + err).split())
    assert "ONNX: model.onnx, logits within" in shown
    assert f"on the hub: {document['hub']}" in shown
    assert "version 2" in shown
    own_hub.refuses = True
    _, err = shell.run("promote", "mine", *more[2:], code=1)
    assert "The hub did not take 'me/mine'" in " ".join(err.split())
    for bad, said in (("model.txt", "--onnx"), ("none/model.onnx", "no folder")):
        _, err = shell.run("promote", "mine", "--onnx", bad, code=2)
        assert said in " ".join(err.split())


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_the_onnx_file_says_what_the_model_says_of_other_texts(
    folders: dict[str, Path], tmp_path: Path, pooling: str
) -> None:
    import onnxruntime

    folder, file = folders[pooling], tmp_path / "model.onnx"
    worst = onnx_file.export(folder, file, ["the film was good", "a plot", "awful dull end"])
    assert worst <= onnx_file.TOLERANCE
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
    model = AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=True)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    names = {put.name for put in session.get_inputs()}
    for texts in (["superb"], ["a cold story and its end", "warm", "the actor was weak", "plot"]):
        given = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            expected = model(**given).logits.numpy()
        feed = {name: value.numpy() for name, value in given.items() if name in names}
        (found,) = session.run(["logits"], feed)
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_file_that_differs_is_not_kept(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_file, "TOLERANCE", -1.0)
    with pytest.raises(OnnxError, match="differs from the model"):
        onnx_file.export(folders["cls"], tmp_path / "model.onnx", ["the film"])
    assert list(tmp_path.iterdir()) == []
