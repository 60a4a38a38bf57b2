"""`foldrace explain` on real sweeps: what it says adds up, and MLflow keeps it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from tests.integration.sweep_shell import Shell

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def linear(
    tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, reviews: Path
) -> tuple[Shell, dict[str, Any]]:
    """A finished sweep of the linear evaluation, with a long enough training to learn the words."""
    folder = tmp_path_factory.mktemp("linear")
    (folder / "vectors.txt").write_text("the 1 0 0\nfilm 0 2 0\ngood 0 0 3\nbad 1 1 1\n")
    shell = Shell(folder, tiny_encoder, reviews)
    names = "tfidf-unigram,glove,word-embeddings,encoder-mean"
    document = shell.json(
        *("run", "linear_eval", "--data", str(reviews), "--text", "body", "--label", "verdict"),
        *("--model", str(tiny_encoder), "--seeds", "2,16", "--holdout", "0.2"),
        *("--strategy", "grid", "--set", f"representation={names}", "--fix", "epochs=40"),
        *("--set", "weight_decay=0.001", "--fix", "learning_rate=0.1", "--fix", "max_length=16"),
        *("--fix", "glove=vectors.txt", "--name", "lin"),
    )
    return shell, document


def artifacts(shell: Shell) -> dict[str, Path]:
    (run,) = shell.runs("sweeps")
    folder = next(shell.folder.rglob(f"{run.info.run_id}/artifacts"))
    return {path.name: path for path in (*folder.iterdir(), *folder.glob("explanation/*"))}


def test_the_sweep_trained_every_cell_from_features_made_once(
    linear: tuple[Shell, dict[str, Any]],
) -> None:
    shell, document = linear
    assert document["cells_done"] == document["cells_planned"]
    assert document["winner"]["config"]["representation"] in ("tfidf-unigram", "word-embeddings")
    made = artifacts(shell)["features.json"].read_text()
    assert all(name in made for name in ("glove", "oov_share", "encoder-mean", "seconds"))
    runs = [r for r in shell.runs("cells") if r.data.params["representation"] == "glove"]
    assert len(runs) == 2
    assert {run.data.metrics["oov_share"] for run in runs} == {runs[0].data.metrics["oov_share"]}
    assert 0.3 < runs[0].data.metrics["oov_share"] < 0.9


def test_a_text_is_explained_by_the_words_that_tell_its_class(
    linear: tuple[Shell, dict[str, Any]],
) -> None:
    shell, _ = linear
    found = shell.json("explain", "lin", "--text", "the film was a superb story")["text"]
    assert (found["class"], found["cut"]) == ("praise", False)
    best = max(found["words"], key=lambda word: word["score"])
    assert (best["word"], best["marked"]) == ("superb", True)
    against = shell.json("explain", "lin", "--text", "an awful plot", "--class", "praise")["text"]
    assert against["probability"] < 0.5
    assert min(against["words"], key=lambda word: word["score"])["word"] == "awful"
    pages = [p.read_text() for name, p in artifacts(shell).items() if name.endswith(".html")]
    for word in ("superb", "awful"):
        assert [page for page in pages if f">{word}<" in page], "a page for each text"


def test_the_words_of_the_data_and_the_pictures_are_kept_in_mlflow(
    linear: tuple[Shell, dict[str, Any]],
) -> None:
    shell, _ = linear
    found = shell.json("explain", "lin", "--pictures", "--words", "6", "--out", "shown")
    words = {name: {row["word"] for row in rows} for name, rows in found["words"].items()}
    assert words["praise"] == {"good", "great", "fine", "lovely", "superb", "warm"}
    assert words["blame"] == {"bad", "awful", "poor", "dull", "cold", "weak"}
    rows = {row["representation"]: row for row in found["representations"]}
    assert set(rows) == {"tfidf-unigram", "glove", "word-embeddings", "encoder-mean"}
    assert rows["tfidf-unigram"]["paper"] == 0.901
    assert rows["tfidf-unigram"]["score"] > 0.8
    kept = artifacts(shell)
    for name in ("explain.html", "words.csv", "words.png", "representations.png", "tokens.png"):
        assert kept[name].read_bytes() == (shell.folder / "shown" / name).read_bytes()
    with (shell.folder / "shown/words.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 12


def test_a_long_file_is_read_to_the_limit_and_said_so(linear: tuple[Shell, dict[str, Any]]) -> None:
    shell, document = linear
    ranks = {row["config"]["representation"]: row["rank"] for row in document["configs"]}
    (shell.folder / "article.txt").write_text("the film was lovely " * 500)
    rank = str(ranks["encoder-mean"])
    found = shell.json("explain", "lin", "--data", "article.txt", "--rank", rank)["text"]
    assert found["cut"]
    assert found["characters_read"] < 100
    out, _ = shell.run("explain", "lin", "--data", "article.txt", "--rank", rank)
    assert "of 10,000 characters were read" in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--text", "a", "--class", "prise"], "there are: blame, praise"),
        (["--data", "nowhere.csv"], "no file nowhere.csv"),
        (["--text", "a", "--rank", "99"], "--rank must be from 1 to 4"),
        (["--text", "  "], "--text must not be blank"),
    ],
)
def test_bad_input_is_named(
    arguments: list[str], message: str, linear: tuple[Shell, dict[str, Any]]
) -> None:
    _, err = linear[0].run("explain", "lin", *arguments, code=2)
    assert message in " ".join(err.split())


def test_a_fine_tuned_sweep_is_explained_by_a_map_or_by_erasure(
    tmp_path: Path, tiny_encoder: Path, reviews: Path
) -> None:
    shell = Shell(tmp_path, tiny_encoder, reviews)
    small = ["--configs", "reference", "--max-cells", "4"]
    for pooling, scores in (("mean", "class activation map"), ("cls", "erasure")):
        shell.json("run", *shell.sweep, *small, "--fix", f"pooling={pooling}", "--name", pooling)
        found = shell.json("explain", pooling, "--text", "the film was superb")
        assert found["scores"] == scores
        assert [word["word"] for word in found["text"]["words"]] == ["the", "film", "was", "superb"]
    _, err = shell.run("explain", "cls", "--text", "a film", "--text-b", "another", code=2)
    assert "has single texts: leave --text-b out" in err
