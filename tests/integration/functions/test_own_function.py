"""`foldrace run my_cells.py`: a training function of the user's own, from file to report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from search.sweep.load import load
from trainables.engine.contract import Cell

pytestmark = pytest.mark.integration

SVM = """
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

AXES = {"C": [0.1, 10.0], "ngrams": [1, 2]}


def train(config, train, test, seed):
    words = TfidfVectorizer(ngram_range=(1, config["ngrams"]))
    model = LinearSVC(C=config["C"], random_state=seed)
    model.fit(words.fit_transform(train.texts), train.labels)
    return model.predict(words.transform(test.texts))
"""
CONSTANT = """
AXES = {"p": [0.6, 0.9]}


def train(config, train, test, seed):
    import numpy as np

    found = np.full((len(test), 2), 1 - config["p"])
    found[np.arange(len(test)), test.labels] = config["p"]
    return found
"""

Foldrace = Callable[..., tuple[int, str, str]]


def write(text: str, name: str = "my_cells.py") -> Path:
    path = Path(name)
    path.write_text(text)
    return path


def run_words(data: object, *more: object) -> tuple[object, ...]:
    return ("run", "my_cells.py", "--data", data, "--seeds", "2", "--folds", "3", *more)


def test_a_file_with_axes_and_train_is_all_that_a_sweep_needs(
    foldrace: Foldrace, reviews: Path, trained: list[Cell]
) -> None:
    write(SVM)
    columns = ("--text", "body", "--label", "verdict", "--strategy", "grid")
    code, out, err = foldrace(*run_words(reviews, *columns, "--report", "out", "--json"))
    assert code == 0, err
    document = json.loads(out)
    assert document["sweep"] == "my_cells-reviews"
    assert document["cells_done"] == len(trained) == 12
    assert document["winner"]["mean"] > 0.9
    assert document["inert_suspects"] == []  # equal classes are no equal probabilities
    assert "C=10" in Path("out/report.html").read_text()
    again, out, _ = foldrace(*run_words(reviews, *columns, "--name", "second", "--json"))
    assert again == 0
    assert json.loads(out)["cells_reused"] == 12
    assert len(trained) == 12


def test_the_key_holds_the_source_and_the_version_but_not_the_axes(
    foldrace: Foldrace, reviews: Path, trained: list[Cell]
) -> None:
    columns = ("--text", "body", "--label", "verdict", "--configs", "configs.json")
    Path("configs.json").write_text('[{"p": 0.9}]')
    for text, fresh in (
        (CONSTANT, 3),
        ("# a remark\n" + CONSTANT.replace("[0.6, 0.9]", "[0.6, 0.7, 0.9]"), 0),
        ("VERSION = 2\n" + CONSTANT, 3),
        (CONSTANT.replace("1 - config", "1.0 - config"), 3),
    ):
        write(text)
        before = len(trained)
        code, _, err = foldrace(*run_words(reviews, *columns, "--name", f"n{before}"))
        assert code == 0, err
        assert len(trained) - before == fresh, text


def test_predictions_out_of_fold_are_the_functions_own(
    foldrace: Foldrace, reviews: Path, ledger_uri: str
) -> None:
    write(CONSTANT)
    assert foldrace(*run_words(reviews, "--text", "body", "--label", "verdict"))[0] == 0
    code, out, err = foldrace("classes", "latest", "--json")
    assert code == 0, err
    (winner, *_) = json.loads(out)["configs"]
    assert {row["recall"] for row in winner["classes"]} == {1.0}
    result = load("latest", tracking_uri=ledger_uri)
    assert result.table.scores.tolist() == [[1.0] * 3] * 2


def test_a_numeric_table_needs_no_text_column(foldrace: Foldrace, ledger_uri: str) -> None:
    from sklearn.datasets import load_iris

    iris = load_iris(as_frame=True).frame.rename(columns={"target": "species"})
    iris.to_csv("iris.csv", index=False)
    write(
        """
from sklearn.ensemble import HistGradientBoostingClassifier

AXES = {"depth": [1, 3]}


def train(config, train, test, seed):
    assert list(train.features) == list(train.frame)[:-1], list(train.features)
    assert train.features.dtypes.eq("float64").all()
    model = HistGradientBoostingClassifier(
        max_depth=config["depth"], max_iter=20, random_state=seed
    )
    return model.fit(train.features, train.labels).predict_proba(test.features)
"""
    )
    code, out, err = foldrace(*run_words("iris.csv", "--label", "species", "--json"))
    assert code == 0, err
    assert json.loads(out)["winner"]["mean"] > 0.9
    assert "gives a label away" not in err


def test_a_number_is_predicted_and_scored_by_the_metric_that_is_named(
    foldrace: Foldrace, ledger_uri: str
) -> None:
    import pandas as pd

    draws = np.random.default_rng(1)
    x = draws.normal(size=200)
    pd.DataFrame({"x": x, "y": 3 * x + draws.normal(scale=0.1, size=200)}).to_csv(
        "line.csv", index=False
    )
    text = """
OBJECTIVE = "rmse"
AXES = {"slope": [1.0, 3.0]}


def train(config, train, test, seed):
    return config["slope"] * test.features["x"].to_numpy()
"""
    write(text.replace('OBJECTIVE = "rmse"', ""))
    code, _, err = foldrace(*run_words("line.csv", "--target", "y"))
    assert code == 2
    assert 'write OBJECTIVE = "rmse" into' in err
    write(text)
    code, out, err = foldrace(*run_words("line.csv", "--target", "y", "--json", "--report", "out"))
    assert code == 0, err
    document = json.loads(out)
    assert document["mode"] == "min"
    assert document["winner"]["config"] == {"slope": 3.0}
    assert document["winner"]["mean"] == pytest.approx(0.1, abs=0.02)
    assert "rmse in hundredths of a unit of the target" in foldrace("leaderboard", "latest")[
        1
    ].replace("\n", " ")
    assert "predict numbers, not classes" in Path("out/report.html").read_text()


def test_metrics_by_name_are_taken_as_they_are(foldrace: Foldrace, reviews: Path) -> None:
    write(
        """
AXES = {"p": [1, 2, 3]}
OBJECTIVE = "cost"
MODE = "min"
BASELINE = {"p": 3}


def train(config, train, test, seed):
    return {"cost": config["p"] + seed / 100, "rows": len(test)}
"""
    )
    code, out, err = foldrace(
        *run_words(reviews, "--text", "body", "--label", "verdict", "--json", "--report", "out")
    )
    assert code == 0, err
    document = json.loads(out)
    assert document["winner"]["config"] == {"p": 1}
    assert document["winner"]["mean"] == pytest.approx(1.02)
    assert document["baseline"] == "baseline"
    assert document["winner"]["gain"] == pytest.approx(-2.0)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return None", "train returned nothing: it must return an array of shape (40, 2)"),
        ("return [[0.5, 0.5]] * 3", "a row for each of the 40 test rows"),
        ("return [[1.0]] * len(test)", "a column for each of the 2 classes"),
        ("return [[float('nan'), 1.0]] * len(test)", "NaN or infinite probabilities in 40 of 40"),
        ("return [[3.0, -1.0]] * len(test)", "no probabilities: row 0 of the test rows"),
        ("return ['pan'] * len(test)", "predicted 'pan', which is no class: blame, praise"),
        ("return [7] * len(test)", "predicted the class 7; there are 2 classes"),
        ("return {'accuracy': float('nan')}", "accuracy=nan: a metric must be a finite number"),
        ("return {'f1': 0.5}", "the cell has no metric 'accuracy'; it has f1"),
        ("raise KeyError('width')", "KeyError: 'width' (my_cells.py, line 6: raise KeyError"),
        ("raise SystemExit(3)", "train ended the program"),
    ],
)
def test_a_function_that_gives_no_sound_answer_is_told_so(
    foldrace: Foldrace, reviews: Path, body: str, said: str
) -> None:
    write(
        f"AXES = {{'p': [1]}}\n\n\ndef train(config, train, test, seed):\n    config\n    {body}\n"
    )
    code, _, err = foldrace(*run_words(reviews, "--text", "body", "--label", "verdict"))
    assert code == 1
    assert said in " ".join(err.split())


def test_one_fold_that_raises_costs_its_cell_alone(foldrace: Foldrace, reviews: Path) -> None:
    write(CONSTANT.replace("    found[", "    if 0 in test.rows:\n        1 / 0\n    found["))
    columns = ("--text", "body", "--label", "verdict")
    code, out, _ = foldrace(*run_words(reviews, *columns, "--strategy", "grid", "--json"))
    document = json.loads(out)
    assert code == 0
    assert (document["cells_done"], document["cells_failed"]) == (4, 2)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise KeyError(config['p'])", "All 5 cells failed alike, whatever their config"),
        ("1 / (0 not in test.rows)", "All 5 configs that were tried on fold"),
    ],
    ids=["every-cell", "one-fold"],
)
def test_a_function_that_fails_alike_for_all_configs_is_stopped(
    foldrace: Foldrace, reviews: Path, trained: list[Cell], body: str, said: str
) -> None:
    write(
        f"""
AXES = {{"p": [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4]}}


def train(config, train, test, seed):
    {body}
    return {{"accuracy": config["p"] / 2 + seed / 100}}
"""
    )
    columns = ("--text", "body", "--label", "verdict")
    code, _, err = foldrace(*run_words(reviews, *columns))
    told = " ".join(err.split())
    assert code == 1
    assert said in told
    assert "Error: " in told
    assert f"(my_cells.py, line 6: {body})" in told
    assert len(trained) < 30
    assert "its cells failed alike" in foldrace("leaderboard", "latest", "--json")[1]


def test_a_function_cannot_change_the_rows_of_the_next_cell(
    foldrace: Foldrace, reviews: Path
) -> None:
    write(
        CONSTANT.replace(
            "    return found",
            """    assert set(test.labels) == {0, 1}
    print("a word on stdout")
    train.labels[:] = 0
    test.labels[:] = 0
    train.frame["body"] = ""
    test.texts.clear()
    config.clear()
    return found""",
        )
    )
    code, out, err = foldrace(*run_words(reviews, "--text", "body", "--label", "verdict", "--json"))
    assert code == 0, err
    assert json.loads(out)["cells_failed"] == 0
    assert json.loads(out)["winner"]["mean"] == 1.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def train(config, train, test, seed): ...", "has a function train and no AXES"),
        ("AXIS = {}\ndef train(config, train, test, seed): ...", "Did you mean 'AXES'?"),
        ("AXES = {}\ndef train(config, train, test, seed): ...", "must be a dict of names"),
        ("AXES = {'C': 3}\ndef train(config, train, test, seed): ...", "must be a list of values"),
        ("AXES = {'C': [(1, 2)]}\ndef train(c, a, b, s): ...", "must hold numbers, texts"),
        ("AXES = {'C': [1]}\ndef train(config): ...", "it is called as train(config, train, test"),
        ("AXES = {'C': [1]}\ntrain = 3", "train must be a function, got 3"),
        ("AXES = {'C': [1]}\nasync def train(c, a, b, s): ...", "must return its answer"),
        ("AXES = {'C': [1]}", "no function train(config, train, test, seed)"),
        ("AXES = {'C': [1]\n", "is no Python"),
        ("import nowhere_to_be_found\n", "No module named 'nowhere_to_be_found'"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_before_anything_trains(
    foldrace: Foldrace, reviews: Path, trained: list[Cell], text: str, said: str
) -> None:
    write(text)
    code, _, err = foldrace(*run_words(reviews, "--text", "body", "--label", "verdict"))
    assert code == 2
    assert said in " ".join(err.split())
    assert trained == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("no.py",), "there is no such file"),
        (("my-cells.py",), "its name must be an identifier"),
        (("my_cells.py", "--plugin", "my_cells.py"), "leave plugin out"),
        (("my_cells.py", "--label", "verdct"), "Did you mean 'verdict'?"),
        (("my_cells.py", "--target", "body"), "For classes use --label body"),
        (("my_cells.py", "--label", "verdict", "--target", "body"), "give one of them"),
        (
            ("my_cells.py", "--label", "verdict", "--workers-per-trial", "2"),
            "trains in one process",
        ),
        (("linear_grid", "--target", "body", "--model", "minilm"), "--target is for a training"),
    ],
)
def test_words_that_do_not_fit_a_file_are_refused(
    foldrace: Foldrace, reviews: Path, words: tuple[str, ...], said: str
) -> None:
    write("OBJECTIVE = 'rmse'\n" + CONSTANT)
    write(CONSTANT, "my-cells.py")
    code, _, err = foldrace("run", *words, "--data", reviews)
    assert code == 2
    assert said in " ".join(err.split())
