"""A file that was trained on is scored in all its rows, or it is said which are not, and why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from search.planning.file_columns import WholeTable
from search.serving.input_rows import RowSchema, of_table
from search.serving.predict import Classifier, Predictions, predict
from tests import factories
from tests.bad_tables import CASES, LABELS, TEXTS, Read, of_parquet
from trainables.engine.arrays import Float32Array
from trainables.engine.contract import DataRef
from trainables.engine.datasets.load import load_data
from trainables.engine.refit.new_rows import UnlabelledRows
from trainables.engine.text_data import TextData


def knowing(data: TextData) -> Classifier:
    """A classifier that is right in each of the data's rows."""
    label_of = dict(zip(data.texts, data.labels.tolist(), strict=True))
    one_hot = np.eye(len(data.label_names), dtype=np.float32)

    def score(rows: UnlabelledRows) -> Float32Array:
        answer: Float32Array = one_hot[[label_of.get(text, 0) for text in rows.texts]]
        return answer

    return Classifier(data.label_names, score, data.labels_written)


def predicted(trained: Path, file: Path) -> Predictions:
    plan = factories.plan(data=DataRef(name=str(trained)))
    rows = of_table(plan, RowSchema(), WholeTable.read(file, {"text"}))
    return predict(plan, rows, knowing(load_data(DataRef(name=str(trained)))))


def write(folder: Path, case: str) -> Path:
    name, content, _ = CASES[case]
    path = folder / name
    path.write_bytes(content)
    return path


READ = [name for name, case in CASES.items() if isinstance(case[2], Read)]


@pytest.mark.parametrize("case", READ)
def test_a_file_that_can_be_trained_on_is_scored_by_the_same_labels(
    case: str, tmp_path: Path
) -> None:
    outcome = CASES[case][2]
    assert isinstance(outcome, Read)
    path = write(tmp_path, case)
    found = predicted(path, path)
    assert found.scores is not None
    assert found.scores["accuracy"] == 1
    assert found.scores["rows"] == outcome.rows
    left = found.table.rows - found.blank - outcome.rows
    assert any("label is -1" in note and note.startswith(f"{left} of") for note in found.notes) is (
        left > 0
    )


@pytest.mark.parametrize(
    ("trained", "new", "rows"),
    [
        ("ints of Parquet", "floats of Parquet", 60),
        ("ints of CSV", "floats of Parquet", 60),
        ("floats of CSV", "ints of Parquet", 60),
        ("names", "ints of CSV", 60),
        ("names that are numbers", "ints of Parquet", 60),
        ("NFC and NFD", "NFD alone", 60),
        ("hidden labels of a part", "ints of Parquet", 60),
    ],
)
def test_the_file_may_write_the_labels_in_another_way(
    trained: str, new: str, rows: int, tmp_path: Path
) -> None:
    (tmp_path / "trained").mkdir()
    found = predicted(write(tmp_path / "trained", trained), write(tmp_path, new))
    assert found.scores is not None
    assert found.scores["rows"] == rows
    assert found.scores["accuracy"] >= 0.9  # hidden rows are not known to the classifier


def test_labels_that_the_model_does_not_know_are_said(tmp_path: Path) -> None:
    trained = write(tmp_path, "ints of CSV")
    path = tmp_path / "new.parquet"
    path.write_bytes(of_parquet(label=["fog" if label else "0" for label in LABELS]))
    found = predicted(trained, path)
    assert found.scores is not None
    assert found.scores["rows"] == 30
    assert found.notes == [
        "30 of 60 rows are not scored: the model knows no class fog (30); it knows 0, 1"
    ]
    assert [row is not None for row in found.found] == [True] * len(TEXTS)


def test_columns_of_one_name_do_not_keep_a_file_from_being_read(tmp_path: Path) -> None:
    found = predicted(write(tmp_path, "two columns of one name"), tmp_path / "a.csv")
    assert found.table.names == ("text", "label", "note", "note (2)")
    assert found.table.columns["note (2)"][0] == "b"
