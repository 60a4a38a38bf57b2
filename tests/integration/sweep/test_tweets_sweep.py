"""Tweets through the command line, Ray and MLflow; then their ensemble and their classes."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from search.tracking.open import connect
from tests.integration.sweep_shell import Shell

pytestmark = pytest.mark.integration


def _with_likes(reviews: Path, folder: Path) -> Path:
    path = folder / "tweets.csv"
    rows = list(csv.reader(reviews.read_text(encoding="utf-8").splitlines()))
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow([*rows[0], "likes"])
        for number, row in enumerate(rows[1:]):
            out.writerow([f"@ann, @bob {row[0]} #film", row[1], number % 7 if number % 5 else ""])
    return path


def test_a_sweep_its_ensemble_and_its_classes(
    tmp_path: Path, tiny_encoder: Path, reviews: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = Shell(tmp_path, tiny_encoder, reviews)
    data = _with_likes(reviews, tmp_path)
    read = ["--data", str(data), "--text", "body", "--label", "verdict"]
    small = [
        *("--model", str(tiny_encoder), "--seeds", "2,16", "--folds", "2", "--strategy", "grid"),
        *("--fix", "learning_rate=0.003", "--fix", "head_layers=1", "--fix", "epochs=2"),
        *("--fix", "max_length=16", "--fix", "inner_share=0.2", "--set", "metadata=none,log"),
        *("--fix", "class_weights=none"),
    ]
    found = shell.json(*("run", "tweets", *read, "--metadata", "likes", *small, "--name", "mine"))
    assert (found["objective"], found["cells_done"], found["cells_failed"]) == ("matthews", 8, 0)
    assert {row["config"]["metadata"] for row in found["configs"]} == {"none", "log"}

    with connect(f"sqlite:///{tmp_path}/mlflow.db", "foldrace", tmp_path / "spool") as ledger:
        record = ledger.find_sweep("mine")
        assert record.spec_json["spec"]["data"]["metadata"] == ["likes"]
        assert record.spec_json["spec"]["data"]["cleaning"] == ["hash-signs", "mentions"]
        cells = ledger.known_cells(record.tags["family"])
        assert len(cells) == 8
        for cell in cells.values():
            assert cell.metrics["chosen_epoch"] in (1, 2)
            assert 0 <= cell.metrics["inner_class_accuracy"] <= 1

    document = shell.json("ensemble", "mine", "--rounds", "5")
    assert [row["gain"] is None for row in document["nested"]] == [True, False, False]
    assert document["blocks"] == 4
    assert sum(member["weight"] for member in document["members"]) == pytest.approx(1)
    assert document["flattered"] >= max(member["score"] for member in document["members"])
    assert [row["rows"] for row in document["classes"]] == [60, 60]

    # A cell that is named twice counts once.
    shown, _ = shell.run("ensemble", "mine", "mine")
    assert "greedy ensemble" in shown
    assert "the ensemble by class" in shown

    classes = shell.json("classes", "mine", "--rank", "2")["configs"]
    assert classes[0]["what"] == "rank 2"
    assert [row["class"] for row in classes[0]["classes"]] == ["blame", "praise"]

    # What is no linear map over words is asked again without each of them, and each number.
    found = shell.json("explain", "mine", "--text", "the film was superb")
    assert found["scores"] == "erasure"
    assert [word["word"] for word in found["text"]["words"]] == ["the", "film", "was", "superb"]
    shown, said = shell.run("explain", "mine", "--data", str(data), "--most-texts", "30")
    assert "highest mean score per class, 30 texts" in shown
    assert "scores by erasure" in said

    # No file holds such a model: it is trained for the rows that it is asked about.
    new = tmp_path / "new.csv"
    new.write_text("body,verdict\nthe film was superb,praise\n,blame\na dull plot,blame\n")
    found = shell.json("predict", "mine", "--data", str(new), "--out", "labelled.csv")
    assert (found["model"], found["rows"], found["blank"]) == (None, 3, 1)
    assert found["scores"]["rows"] == 2
    with (tmp_path / "labelled.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] in ("praise", "blame") for row in rows] == [True, False, True]
    assert float(rows[0]["p_praise"]) + float(rows[0]["p_blame"]) == pytest.approx(1, abs=1e-5)

    _, err = shell.run("classes", "mine", "--rank", "9", code=2)
    assert "--rank must be from 1 to 2, got 9" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["smoke", "--metadata", "likes"], "joins no metadata to its texts"),
        (["tweets", "--set", "metadata=log"], "name them with --metadata"),
        (["tweets", "--fix", "metadata=log"], "name them with --metadata"),
        (["tweets", "--metadata", "like"], "Did you mean 'likes'?"),
        (["tweets", "--metadata", "likes,,"], "wants column names with commas"),
        (["tweets", "--clean", "mention"], "Did you mean 'mentions'?"),
    ],
)
def test_what_cannot_be_joined_is_named_before_training(
    options: list[str], message: str, tmp_path: Path, tiny_encoder: Path, reviews: Path
) -> None:
    data = _with_likes(reviews, tmp_path)
    read = ["--data", str(data), "--text", "body", "--label", "verdict"]
    shell = Shell(tmp_path, tiny_encoder, reviews)
    _, err = shell.run("run", *options, *read, "--model", str(tiny_encoder), code=2)
    assert message in err
