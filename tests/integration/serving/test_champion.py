"""The model that comes out: trained, saved, registered, served; all say the same of a text."""

from __future__ import annotations

import csv
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mlflow import MlflowClient
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from tests.integration.sweep_shell import Shell
from trainables.engine.tables.read import read_table

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def swept(
    tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, reviews: Path
) -> tuple[Shell, dict[str, Any]]:
    """A finished sweep, and its winner promoted."""
    shell = Shell(tmp_path_factory.mktemp("champion"), tiny_encoder, reviews)
    narrowed = ("--set", "k=2", "--set", "beta=0.9", "--fix", "max_length=128")
    shell.json("run", *shell.sweep, *narrowed, "--name", "mine")
    return shell, shell.json("promote", "mine")


@pytest.fixture
def foldrace(swept: tuple[Shell, dict[str, Any]]) -> Shell:
    return swept[0]


TEXTS = ["the film was superb and warm", "an awful plot", "the end"]


def from_folder(folder: Path) -> Any:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    given = tokenizer(TEXTS, truncation=True, padding=True, return_tensors="pt")
    with torch.inference_mode():
        return model(**given).logits.softmax(-1).numpy(), model.config.id2label


def test_the_champion_is_registered_with_its_card(
    swept: tuple[Shell, dict[str, Any]],
) -> None:
    shell, document = swept
    client = MlflowClient(f"sqlite:///{shell.folder}/mlflow.db")
    version = client.get_model_version_by_alias("mine", "champion")
    assert (document["version"], int(version.version)) == (1, 1)
    assert document["trust_remote_code"] is False
    (sweep,) = shell.runs("sweeps")
    assert version.tags["sweep"] == sweep.info.run_id
    card = (shell.folder / "champion-mine/README.md").read_text()
    assert card.startswith("---\nlibrary_name")
    assert card.endswith(f"---\n\n{version.description}")
    assert version.description.startswith("# ")
    for piece in ("accuracy", "blame (60), praise (60)", "seeds 2, 16 x 2 folds", "## Limits"):
        assert piece in card, piece
    # The encoder has 64 places, which is what counts whatever the config allows.
    assert "Texts are cut at 64 tokens." in card


def test_predict_labels_a_csv_as_the_folder_does(
    swept: tuple[Shell, dict[str, Any]], foldrace: Shell
) -> None:
    path = foldrace.folder / "new.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "body", "verdict"])
        rows.writerows([[7, TEXTS[0], "praise"], [8, "", ""], [9, TEXTS[1], "blame"]])
        rows.writerow([10, TEXTS[2], "praise"])
    document = foldrace.json("predict", "mine", "--data", "new.csv", "--out", "said.csv")
    assert (document["rows"], document["blank"]) == (4, 1)
    with (foldrace.folder / "said.csv").open(newline="") as file:
        said = list(csv.DictReader(file))
    assert [row["id"] for row in said] == ["7", "8", "9", "10"]
    assert said[1]["label"] == ""
    expected, names = from_folder(foldrace.folder / "champion-mine")
    for row, probabilities in zip([said[0], said[2], said[3]], expected, strict=True):
        assert row["label"] == names[int(probabilities.argmax())]
        for number, name in names.items():
            assert float(row[f"p_{name}"]) == pytest.approx(probabilities[number], abs=1e-5)
    right = sum(row["label"] == row["verdict"] for row in (said[0], said[2], said[3]))
    assert document["scores"]["accuracy"] == pytest.approx(right / 3)


def test_a_column_that_is_not_there_is_named(foldrace: Shell) -> None:
    (foldrace.folder / "other.csv").write_text("words\na b\n")
    _, err = foldrace.run("predict", "mine", "--data", "other.csv", code=2)
    assert "has no column 'body'. Its columns: words" in " ".join(err.split())


def test_a_bad_file_is_refused_before_a_model_is_trained_for_it(foldrace: Shell) -> None:
    (foldrace.folder / "page.csv").write_text("<!DOCTYPE html>\n<p>404</p>\n")
    out, err = foldrace.run("predict", "mine", "--data", "page.csv", "--model", "new", code=2)
    assert "is a web page, no table" in err
    assert "training" not in out + err
    (foldrace.folder / "ragged.csv").write_text("body,verdict\na,b\na,b,c\n")
    out, err = foldrace.run("predict", "mine", "--data", "ragged.csv", "--model", "new", code=2)
    assert "another number of fields" in " ".join(err.split())
    assert "training" not in out + err


def _registered(shell: Shell) -> set[str]:
    client = MlflowClient(f"sqlite:///{shell.folder}/mlflow.db")
    return {model.name for model in client.search_registered_models()}


def test_a_typo_registers_nothing(foldrace: Shell) -> None:
    path = foldrace.folder / "typed.csv"
    path.write_text("body,verdict\nthe film,praise\n")
    before = _registered(foldrace)
    for options, answer in (
        (["--model", "mien"], "There is no registered model 'mien'. Did you mean 'mine'?"),
        (["--label", "verdikt"], "has no column 'verdikt'. Did you mean 'verdict'?"),
        (["--text", "boddy"], "has no column 'boddy'. Did you mean 'body'?"),
        (["--out", "typed.csv"], "--out must be another file than --data"),
        (["--out", str(foldrace.folder)], "--out must be a file"),
    ):
        _, err = foldrace.run("predict", "mine", "--data", "typed.csv", *options, code=2)
        assert answer in " ".join(err.split())
    assert _registered(foldrace) == before
    assert path.read_text() == "body,verdict\nthe film,praise\n"


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_the_ending_says_how_predictions_are_written(ending: str, foldrace: Shell) -> None:
    (foldrace.folder / "two.csv").write_text("body,n,n\nthe film,1,2\n,3,4\n")
    name = f"answer{ending}"
    foldrace.json("predict", "mine", "--data", "two.csv", "--out", name)
    table = read_table(foldrace.folder / name, None)
    assert table.names[:3] == ("body", "n", "n (2)")
    assert [*table.columns["n (2)"]] == ["2", "4"]
    first, second = table.columns["label"]
    assert first in ("praise", "blame")
    assert not second


def test_cells_are_exported_as_the_ending_says(foldrace: Shell) -> None:
    cells = foldrace.json("export", "mine", "--out", "cells.csv")["cells"]
    table = read_table(foldrace.folder / "cells.csv", None)
    assert table.rows == cells
    foldrace.run("export", "mine", "--out", "cells.parquet")
    assert read_table(foldrace.folder / "cells.parquet", None).rows == cells
    foldrace.run("export", "mine", "--out", "cells.xlsx", code=2)


def test_the_encoder_that_a_sweep_starts_from_is_never_written_over(
    foldrace: Shell, tiny_encoder: Path
) -> None:
    before = (tiny_encoder / "config.json").read_text()
    _, err = foldrace.run("promote", "mine", "--out", str(tiny_encoder), code=2)
    assert "holds the encoder" in " ".join(err.split())
    assert (tiny_encoder / "config.json").read_text() == before


def test_promoting_again_makes_the_next_version_the_champion(foldrace: Shell) -> None:
    document = foldrace.json("promote", "mine", "--rank", "2", "--as", "other", "--out", "second")
    again = foldrace.json("promote", "mine", "--as", "other", "--out", "second")
    assert (document["version"], again["version"]) == (1, 2)
    client = MlflowClient(f"sqlite:///{foldrace.folder}/mlflow.db")
    assert int(client.get_model_version_by_alias("other", "champion").version) == 2


@pytest.fixture
def server(swept: tuple[Shell, dict[str, Any]]) -> Iterator[str]:
    """`foldrace serve`, which is `mlflow models serve`, on a free port of the loopback."""
    folder = swept[0].folder
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # In a group of its own: the server starts children.
    process = subprocess.Popen(
        [sys.executable, "-m", "search.cli", "serve", "mine", "--port", str(port)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


def test_the_served_model_answers_as_the_folder_does(
    server: str, swept: tuple[Shell, dict[str, Any]]
) -> None:
    body = json.dumps({"dataframe_split": {"columns": ["text"], "data": [[t] for t in TEXTS]}})
    request = urllib.request.Request(
        f"{server}/invocations", body.encode(), {"Content-Type": "application/json"}
    )
    deadline = time.monotonic() + 300
    while True:
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                rows = json.load(answer)["predictions"]
            break
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error
        except OSError:
            assert time.monotonic() < deadline, "the server never answered"
            time.sleep(0.3)
    expected, names = from_folder(swept[0].folder / "champion-mine")
    for row, probabilities in zip(rows, expected, strict=True):
        assert row["label"] == names[int(probabilities.argmax())]
        found = [row[f"p_{names[number]}"] for number in range(len(names))]
        np.testing.assert_allclose(found, probabilities, atol=1e-5)
