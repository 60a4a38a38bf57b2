"""`predict` reads the file that its sweep was made of, whatever was trained."""

from __future__ import annotations

import csv
import json
import warnings
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from search import cli
from tests.trainables import clip_models
from trainables.engine.contract import Cell

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("trained")]

TINY = ("--seeds", "2", "--folds", "2", "--strategy", "grid", "--configs", "reference")
FINE = ("--fix", "epochs=1", "--fix", "max_length=16", "--fix", "batch_size=16")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _json(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    code = cli.main([*words, "--json"])
    found = capsys.readouterr()
    assert code == 0, found.err
    document: dict[str, Any] = json.loads(found.out)
    return document


def _rows(reviews: Path) -> list[list[str]]:
    return list(csv.reader(reviews.read_text(encoding="utf-8").splitlines()))[1:49]


def _predicted(capsys: pytest.CaptureFixture[str], file: str, *more: str) -> dict[str, Any]:
    document = _json(capsys, "predict", "latest", "--data", file, "--out", "said.csv", *more)
    with Path("said.csv").open(newline="", encoding="utf-8") as said:
        rows = list(csv.DictReader(said))
    assert len(rows) == document["rows"]
    assert sum(document["labels"].values()) == document["rows"] - document["blank"]
    return document


@pytest.mark.parametrize(
    ("space", "more"),
    [
        ("linear_eval", [*FINE[2:4], "--set", "representation=tfidf-unigram,encoder-mean"]),
        ("softtriple", [*FINE, "--set", "k=10"]),
        ("encoder_linear", FINE[2:]),
        ("projection", ["--fix", "epochs=1"]),
        ("contrastive", [*FINE[2:4], "--set", "batch_size=20"]),
        ("mirror", FINE[2:4]),
    ],
)
def test_of_single_texts(
    space: str,
    more: list[str],
    folder: Path,
    tiny_encoder: Path,
    reviews: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Path("own.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text", "label", "note", "note"], *_with_notes(reviews)])
    _json(capsys, "run", space, "--data", "own.csv", "--model", str(tiny_encoder), *TINY, *more)
    document = _predicted(capsys, "own.csv")
    assert document["rows"] == 48
    assert document["scores"]["rows"] == 48


def _with_notes(reviews: Path) -> list[list[str]]:
    return [[*row, "a", "b"] for row in _rows(reviews)]


def test_of_pairs_of_a_set_by_name(
    folder: Path,
    tiny_encoder: Path,
    reviews: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = _rows(reviews)
    table = {
        "text": [text for text, _ in rows],
        "text_b": [text for text, _ in reversed(rows)],
        "label": [int(label == "praise") for _, label in rows],
        "label_name": ["paraphrase" if label == "praise" else "different" for _, label in rows],
    }
    parquet.write_table(pa.table(table), "mrpc.parquet")
    monkeypatch.setenv("FOLDRACE_DATA", str(folder))
    model = ("--model", str(tiny_encoder))
    _json(capsys, "run", "projection", "--data", "mrpc", *model, *TINY, "--fix", "epochs=1")
    document = _predicted(capsys, "mrpc.parquet")
    assert document["scores"]["rows"] == 48
    # Its second text is asked for by name.
    del table["text_b"]
    parquet.write_table(pa.table(table), "half.parquet")
    assert cli.main(["predict", "latest", "--data", "half.parquet"]) == 2
    assert "no column 'text_b'" in capsys.readouterr().err


def test_of_texts_with_metadata(
    folder: Path, tiny_encoder: Path, reviews: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path("own.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["text", "label", "likes"])
        out.writerows(
            [*row, number % 7 if number % 5 else ""] for number, row in enumerate(_rows(reviews))
        )
    _json(
        capsys,
        *("run", "tweets", "--data", "own.csv", "--metadata", "likes"),
        *("--model", str(tiny_encoder), *TINY[:-2], *FINE, "--fix", "head_layers=1"),
        *("--fix", "class_weights=none", "--set", "metadata=log", "--fix", "inner_share=0.2"),
    )
    document = _predicted(capsys, "own.csv")
    assert document["scores"]["rows"] == 48
    assert document["notes"] == []


def test_of_metadata_of_a_set_by_name(
    folder: Path,
    tiny_encoder: Path,
    reviews: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows, counts = _rows(reviews), [f"{kind}_counts" for kind in ("false", "half_true")]
    grades = [("false", "true")[label == "praise"] for _, label in rows]
    history = {name: [float(i % 7 + at) for i in range(48)] for at, name in enumerate(counts)}
    texts = [text for text, _ in rows]
    kept = {"text": texts, "label": [1 if g == "false" else 5 for g in grades]}
    parquet.write_table(pa.table({**kept, "label_name": grades, **history}), "liar.parquet")
    monkeypatch.setenv("FOLDRACE_DATA", str(folder))
    _json(
        capsys,
        *("run", "tweets", "--data", "liar", "--metadata", ",".join(counts)),
        *("--model", str(tiny_encoder), *TINY[:-2], *FINE, "--fix", "head_layers=1"),
        *("--fix", "class_weights=none", "--set", "metadata=log", "--fix", "inner_share=0.2"),
    )
    # As the set's authors name the columns.
    parquet.write_table(pa.table({"statement": texts, "label": grades, **history}), "own.parquet")
    for file in ("liar.parquet", "own.parquet"):
        document = _predicted(capsys, file)
        assert document["scores"]["rows"] == 48
        assert document["notes"] == []
    del history["half_true_counts"]
    parquet.write_table(pa.table({"statement": texts, **history}), "less.parquet")
    document = _predicted(capsys, "less.parquet")
    assert document["notes"] == ["less.parquet has no column 'half_true_counts': taken as missing"]


def test_of_claims_documents_and_images(
    folder: Path, trained: list[Cell], capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = clip_models.pairs(folder)
    clip = clip_models.clip(folder / "models" / "clip")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sentence-transformers' own, on saving
        text = clip_models.multilingual(folder / "more" / "multilingual")
    _json(
        capsys,
        *("run", "factify", "--data", str(pairs), "--model", str(clip), *TINY[:-2]),
        *("--fix", f"text_encoder={text}", "--configs", "reference", "--fix", "epochs=2"),
        *("--set", "modalities=both", "--set", "multilingual=true"),
    )
    document = _predicted(capsys, str(pairs))
    assert document["scores"]["rows"] == 60
    assert document["notes"] == ["2 of 120 images are missing or unusable"]
    assert trained
