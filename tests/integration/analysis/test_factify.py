"""The ablation of Factify's fusion network from the command line to the paper's table."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest

from spaces.factify import SPACE
from tests.integration.sweep_shell import Shell
from tests.trainables import clip_models

pytestmark = pytest.mark.integration

CLAIM = ("--column", "Claim", "--column-b", "Document")


def test_an_ablation_ends_with_the_papers_table_a_matrix_and_the_worst_rows(
    tmp_path: Path, tiny_encoder: Path
) -> None:
    pairs = clip_models.pairs(tmp_path)
    clip = clip_models.clip(tmp_path / "models" / "clip")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sentence-transformers' own, on saving
        text = clip_models.multilingual(tmp_path / "more" / "multilingual")
    shell = Shell(tmp_path, tiny_encoder, pairs)
    document = shell.json(
        *("run", "factify", "--data", str(pairs), "--model", str(clip), "--configs", "ablation"),
        *("--fix", f"text_encoder={text}", "--seeds", "2", "--folds", "2", "--strategy", "grid"),
        *("--clean", "punctuation", "--name", "fac"),
    )
    assert (document["cells_done"], document["objective"]) == (10, "weighted_f1")
    rows = {row["name"]: row for row in document["ablation"]["rows"]}
    assert tuple(rows) == SPACE.ablation
    means = {row["name"]: row["mean"] for row in document["configs"]}
    for name, row in rows.items():
        assert row["weighted_f1"] == pytest.approx(means[name], abs=1e-6)
        assert row["paper"] is None  # two of the paper's five classes
    files = {Path(path).name: tmp_path / path for path in document["ablation"]["files"]}
    assert set(files) == {
        "ablation.md", "ablation.json", "confusion.png", "worst.html", "words.png", "words.md"
    }  # fmt: skip
    assert all(path.stat().st_size > 100 for path in files.values())
    assert json.loads(files["ablation.json"].read_text())[0]["name"] == "text-only"
    assert "\u0926\u093f\u0932\u094d\u0932\u0940 | 60" in files["words.md"].read_text("utf-8")
    found = shell.json("explain", "fac", "--data", str(pairs), *CLAIM, "--most-texts", "4")
    assert (found["scores"], found["texts_read"]) == ("erasure", 4)
    page = (tmp_path / "explain-fac" / "explain.html").read_text()
    assert ">[image]<" in page or "text" in document["winner"]["config"]["modalities"]
    found = shell.json("predict", "fac", "--data", str(pairs), *CLAIM, "--label", "Category")
    assert found["model"] is None
    assert found["scores"]["rows"] == found["rows"]
    # Typed texts have no images: each is the learned vector that stands for a missing one.
    found = shell.json("explain", "fac", "--text", "a claim", "--text-b", "its document")
    assert [word["word"] for word in found["text"]["words"]] == ["a", "claim", "its", "document"]
    _, err = shell.run("explain", "fac", "--text", "claim", code=2)
    assert "give the second one with --text-b" in err
    out, _ = shell.run(
        *("run", "factify", "--data", str(pairs), "--model", str(clip), "--configs", "ablation"),
        *("--fix", f"text_encoder={text}", "--seeds", "2", "--folds", "2", "--strategy", "grid"),
        *("--clean", "punctuation", "--name", "fac"),
    )
    assert "| Model " in out
    assert "10 cells, 10 of them from other sweeps" in out
