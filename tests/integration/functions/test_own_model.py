"""The winner of a user's own functions, kept: promoted, loaded, asked, explained."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest

import search
from search.errors import InputError
from tests.integration.functions.test_examples import EXAMPLES
from trainables.engine.contract import Cell

pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("ignore")]
SMALL = ("--seeds", "2", "--folds", "3")
COLUMNS = ("--text", "body", "--label", "verdict")
TABLE = """
import numpy as np

AXES = {"slope": [1.0, 3.0]}
OBJECTIVE = "rmse"


class Line:
    def __init__(self, slope, shift):
        self.slope, self.shift = slope, shift


def fit(config, train, seed):
    assert train.features["n"].dtype == np.int64
    return Line(config["slope"], float(train.target.mean()))


def predict(model, test):
    assert np.isnan(test.target).all()
    assert test.features["n"].dtype == np.int64
    return model.slope * test.features["x"].to_numpy() + model.shift


def train(config, train, test, seed):
    return predict(fit(config, train, seed), test.unlabelled())
"""
ALONE = """
AXES = {"p": [0.6, 0.9]}


def train(config, train, test, seed):
    return [[config["p"], 1 - config["p"]]] * len(test)
"""

Foldrace = Callable[..., Any]


@pytest.fixture
def foldrace(foldrace: Callable[..., tuple[int, str, str]]) -> Foldrace:
    """Runs a command that ends as it should: its JSON, or what it says."""

    def command(*words: object, code: int = 0) -> Any:
        found, out, said = foldrace(*words)
        assert found == code, said
        return json.loads(out) if "--json" in words else " ".join(said.split())

    return command


def test_the_winner_of_a_pair_is_kept_loaded_and_asked(
    foldrace: Foldrace, reviews: Path, ledger_uri: str
) -> None:
    Path("kept.py").write_text(EXAMPLES["kept.py"])
    foldrace("run", "kept.py", "--data", reviews, *COLUMNS, *SMALL, "--name", "kept", "--json")
    document = foldrace("promote", "kept", "--json")
    assert (document["model"], document["version"]) == ("kept", 1)
    folder = Path(document["folder"])
    assert {path.name for path in folder.iterdir()} == {
        "model.pkl", "kept.py", "columns.json", "README.md",
    }  # fmt: skip
    card = (folder / "README.md").read_text()
    assert "who loads it runs its code" in card
    assert "`scikit-learn==" in card
    # Without a byte of the file where it was.
    Path("kept.py").rename("gone.py")
    mlflow.set_tracking_uri(ledger_uri)
    model = mlflow.pyfunc.load_model("models:/kept@champion")
    answer = model.predict(pd.DataFrame({"body": ["superb and warm", "an awful plot"]}))
    assert list(answer) == ["label", "probability", "p_blame", "p_praise"]
    assert answer["label"].tolist() == ["praise", "blame"]
    needs = Path(mlflow.pyfunc.get_model_dependencies("models:/kept/1")).read_text()
    assert "scikit-learn==" in needs
    assert "torch" not in needs
    Path("gone.py").rename("kept.py")
    document = foldrace("predict", "kept", "--data", reviews, "--out", "said.csv", "--json")
    assert (document["model"], document["version"]) == ("kept", 1)
    assert document["scores"]["accuracy"] > 0.9
    said = pd.read_csv("said.csv")
    again = model.predict(said[["body"]])
    np.testing.assert_allclose(said["p_blame"], again["p_blame"], atol=1e-6)
    shown = foldrace("explain", "kept", "--text", "a superb plot", "--class", "praise", "--json")
    scores = {word["word"]: word["score"] for word in shown["text"]["words"]}
    assert max(scores, key=lambda word: scores[word]) == "superb"


def test_predict_promotes_a_pair_that_was_not(foldrace: Foldrace, reviews: Path) -> None:
    Path("kept.py").write_text(EXAMPLES["kept.py"])
    few = ("--configs", "configs.json", "--name", "kept")
    Path("configs.json").write_text('[{"C": 10.0, "ngrams": 1}]')
    foldrace("run", "kept.py", "--data", reviews, *COLUMNS, *SMALL, *few)
    document = foldrace("predict", "kept", "--data", reviews, "--json")
    assert (document["model"], document["version"]) == ("kept", 1)


def test_a_table_with_train_beside_the_pair(foldrace: Foldrace, ledger_uri: str) -> None:
    draws = np.random.default_rng(1)
    x = draws.normal(size=120)
    frame = pd.DataFrame({"x": x, "n": range(120), "w": "a", "y": 3 * x + 7})
    frame.to_csv("line.csv", index=False)
    Path("line.py").write_text(TABLE)
    foldrace("run", "line.py", "--data", "line.csv", "--target", "y", *SMALL, "--name", "line")
    said = foldrace("promote", "line")
    assert "fit and predict the same" in said
    assert "what fit of line.py returned, pickled" in said
    mlflow.set_tracking_uri(ledger_uri)
    model = mlflow.pyfunc.load_model("models:/line/1")
    answer = model.predict(pd.DataFrame({"x": [0.0, 1.0], "n": [1.0, 2.0], "w": ["a", "b"]}))
    mean = frame["y"].mean()
    np.testing.assert_allclose(answer["prediction"], [mean, 3 + mean], rtol=1e-6)
    said = foldrace("predict", "line", "--data", "line.csv")
    assert "line, version 1: 120 numbers rmse" in said
    assert "hundredths of a unit of the target on 120 labelled rows" in said
    assert "predicts a number, and words are attributed" in foldrace("explain", "line", code=2)


def test_train_alone_keeps_no_model_and_is_told_what_to_add(
    foldrace: Foldrace, reviews: Path
) -> None:
    Path("alone.py").write_text(ALONE)
    foldrace("run", "alone.py", "--data", reviews, *COLUMNS, *SMALL, "--name", "alone")
    said = foldrace("promote", "alone", code=2)
    assert "alone.py has train only" in said
    assert "add fit(config, train, seed), which returns a model" in said
    assert "def predict(model, test): return" in said
    assert "training" not in said
    said = foldrace("predict", "alone", "--data", reviews)
    assert "train alone, which keeps no model: it is trained for this file" in said
    pair = "\ndef fit(config, train, seed):\n    return 0.3\n\n\ndef predict(model, test):\n"
    Path("alone.py").write_text(f"{ALONE}\n{pair}    return [[model, 1 - model]] * len(test)\n")
    said = foldrace("promote", "alone")
    assert "the cells' scores are train's, the model is fit's" in said or "the same" in said


@pytest.mark.parametrize(
    ("fitted", "answer", "said"),
    [
        ("(n for n in [1])", "[0] * len(test)", "fit returned a generator that cannot be kept"),
        ("1", "{'accuracy': 0.5}", "predict returns metrics alone"),
        ("1", "np.random.default_rng().dirichlet([1, 1], len(test))", "something else once it is"),
        ("{}[seed]", "[0] * len(test)", "KeyError: 2 (bad.py, line 4: return {}[seed])"),
    ],
    ids=["generator", "metrics", "random", "raises"],
)
def test_a_model_that_cannot_be_kept_is_told(
    foldrace: Foldrace, reviews: Path, fitted: str, answer: str, said: str
) -> None:
    text = "import numpy as np\nAXES = {'C': [1]}\ndef fit(config, train, seed):\n    return "
    tail = f"\ndef predict(model, test):\n    return {answer}\n"
    raises = fitted.startswith("{}")
    Path("bad.py").write_text(f"{text}{'1' if raises else fitted}{tail}")
    foldrace("run", "bad.py", "--data", reviews, *COLUMNS, *SMALL, "--name", "bad")
    if raises:
        train = "def train(config, train, test, seed):\n    pass\n"
        Path("bad.py").write_text(f"{text}{fitted}{tail}{train}")
    assert said in foldrace("promote", "bad", code=1)


def test_a_pair_that_changed_since_is_refused(foldrace: Foldrace, reviews: Path) -> None:
    text = EXAMPLES["kept.py"].replace("[0.1, 1.0, 10.0]", "[1.0]")
    Path("kept.py").write_text(text)
    foldrace("run", "kept.py", "--data", reviews, *COLUMNS, *SMALL, "--name", "kept")
    Path("kept.py").write_text(text.replace("LogisticRegression(C", "LogisticRegression(tol=1, C"))
    assert "kept.py changed since sweep 'kept' started" in foldrace("promote", "kept", code=2)
    Path("kept.py").write_text(f"# a remark\n{text}")
    said = foldrace("promote", "kept", "--onnx", "a.onnx", code=2)
    assert "--onnx is for networks" in said
    foldrace("promote", "kept")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def fit(config, train, seed): ...", "It has fit and lacks predict(model, test)."),
        ("def predict(model, test): ...", "It has predict and lacks fit(config, train, seed)."),
        ("def fit(x, y): ...\ndef predict(model, test): ...", "it is called as fit(config, train"),
        (
            "def fit(config, train, seed): ...\ndef predict(m): ...",
            "called as predict(model, test)",
        ),
    ],
)
def test_half_a_pair_is_refused_before_anything_trains(
    foldrace: Foldrace, reviews: Path, trained: list[Cell], text: str, said: str
) -> None:
    Path("half.py").write_text(f"AXES = {{'C': [1]}}\n{text}\n")
    assert said in foldrace("run", "half.py", "--data", reviews, *COLUMNS, code=2)
    assert trained == []


def fit_shares(config: Any, train: Any, seed: int) -> Any:
    return np.bincount(train.labels, minlength=2) / len(train) * config["scale"]


def predict_shares(model: Any, test: Any) -> Any:
    return np.tile(model / model.sum(), (len(test), 1))


def test_in_python_the_pair_takes_a_functions_place(foldrace: Foldrace, reviews: Path) -> None:
    words = {"data": reviews, "text": "body", "label": "verdict", "seeds": 2, "folds": 3}
    result = search.run(
        fit=fit_shares, predict=predict_shares, axes={"scale": [1.0]}, name="x", **words
    )
    champion = search.promote(result)
    assert champion.own == "fit_shares.py"
    frame = result.predict(["a film"], text="body")
    assert frame["p_blame"].tolist() == [pytest.approx(0.5)]
    shutil.rmtree(champion.folder)
    with pytest.raises(InputError, match="needs predict beside it"):
        search.plan(fit=fit_shares, axes={"scale": [1.0]}, **words)
    with pytest.raises(InputError, match="needs axes, as run\\(fit=fit_shares"):
        search.plan(fit=fit_shares, predict=predict_shares, **words)
