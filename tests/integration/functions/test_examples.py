"""The four examples of the page, each run as it stands there."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from search import cli
from trainables.engine.contract import Cell

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "search/functions/README.md").read_text()
EXAMPLES = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE, re.DOTALL))
TEXTS = ("--data", "reviews.csv")
_FOUR = ("svm.py", "boosting.py", "trainer.py", "accelerated.py")


@pytest.fixture
def folder(tmp_path: Path, reviews: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the data that the page names."""
    from sklearn.datasets import load_breast_cancer

    monkeypatch.chdir(tmp_path)
    with reviews.open(newline="") as file:
        rows = [[row["body"], row["verdict"]] for row in csv.DictReader(file)]
    with (tmp_path / "reviews.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["text", "label"], *rows])
    load_breast_cancer(as_frame=True).frame.to_csv(tmp_path / "cancer.csv", index=False)
    return tmp_path


def test_the_page_has_the_four_examples() -> None:
    assert set(EXAMPLES) == {*_FOUR, "kept.py"}


@pytest.mark.filterwarnings("ignore")  # of the libraries that an example calls
@pytest.mark.parametrize(
    ("name", "words", "least"),
    [
        ("svm.py", TEXTS, 0.9),
        ("boosting.py", ("--data", "cancer.csv", "--label", "target"), 0.9),
        ("trainer.py", (*TEXTS, "--set", "epochs=16", "--model"), 0.7),
        ("accelerated.py", (*TEXTS, "--set", "epochs=8", "--model"), 0.7),
    ],
)
def test_an_example_runs_and_learns(
    name: str,
    words: tuple[str, ...],
    least: float,
    folder: Path,
    tiny_encoder: Path,
    ledger_uri: str,
    trained: list[Cell],
    capsys: pytest.CaptureFixture[str],
) -> None:
    (folder / name).write_text(EXAMPLES[name])
    model: list[Any] = [str(tiny_encoder)] if words[-1] == "--model" else []
    given = [*words, *model, "--seeds", "2", "--folds", "2", "--tracking-uri", ledger_uri]
    assert cli.main(["run", name, *given, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["cells_failed"] == 0
    assert document["winner"]["mean"] > least
