"""Code of a registered model that a user's own functions made.

It needs mlflow, pandas, numpy, cloudpickle, and what the user's file imports; nothing of foldrace.
The model that `fit` returned and `predict` are unpickled, which runs code: load what you trust.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import cloudpickle
import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext

PICKLE, ABOUT = "model.pkl", "columns.json"


class NewRows:
    """Rows to predict, with the names that a function knows from training."""

    labelled = False

    def __init__(self, given: pd.DataFrame, about: Mapping[str, Any]) -> None:
        self._given, self._about = given.reset_index(drop=True), about
        self.classes = tuple(about["classes"])
        self.rows = np.arange(len(given))
        self.labels = np.zeros(len(given), np.int64)
        self.target = np.full(len(given), np.nan) if about["target"] else None

    def __len__(self) -> int:
        """Number of rows."""
        return len(self._given)

    @cached_property
    def texts(self) -> list[str]:
        """Texts of the rows, or the rows written out as texts."""
        if self._about["text"] is not None:
            return [str(text) for text in self._given[self._about["text"]]]
        parts = [
            [f"{name}={_written(value)}" for value in self.features[name].tolist()]
            for name in self.features
        ]
        return [" ".join(row) for row in zip(*parts, strict=True)]

    @cached_property
    def texts_b(self) -> list[str] | None:
        """Second texts of pairs; None where rows are single texts."""
        column = self._about["text_b"]
        return None if column is None else [str(text) for text in self._given[column]]

    @cached_property
    def frame(self) -> pd.DataFrame:
        """All columns of the training data, typed; no row has a label."""
        columns: dict[str, Any] = {}
        for name, kind in self._about["columns"].items():
            missing = name not in self._given or name == self._about["answer"]
            values = [None] * len(self) if missing else self._given[name].tolist()
            columns[name] = _typed(values, kind)
        return pd.DataFrame(columns)

    @cached_property
    def features(self) -> pd.DataFrame:
        """All columns but the one to predict."""
        return self.frame.drop(columns=[self._about["answer"]])


def _written(value: Any) -> Any:
    blank = isinstance(value, str) and not value.strip()
    return "" if pd.isna(value) or blank else value


def _typed(values: list[Any], kind: str) -> Any:
    """Column of the training data's kind, where its values are."""
    there = [not pd.isna(value) for value in values]
    if kind in ("whole", "number"):
        pairs = zip(values, there, strict=True)
        numbers = np.array([float(value) if known else np.nan for value, known in pairs])
        whole = kind == "whole" and all(there) and bool((numbers == np.floor(numbers)).all())
        return numbers.astype(np.int64) if whole else numbers
    if kind == "logical" and all(there):
        return np.array(values, bool)
    words = [str(value) if known else None for value, known in zip(values, there, strict=True)]
    return pd.Series(words, dtype=object)


class OwnFunction(PythonModel):
    """A user's `predict` with the model that `fit` made.

    It gives `label`, `probability` and one `p_` a class; of a target `prediction`.
    """

    def load_context(self, context: PythonModelContext) -> None:
        """Load the functions, the model and what the columns are."""
        folder = Path(context.artifacts["model"])
        self._about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        with (folder / PICKLE).open("rb") as file:
            self._predict, self._fitted = cloudpickle.load(file)

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Answer for each row."""
        rows = NewRows(model_input, self._about)
        answer = self._predict(self._fitted, rows)
        if isinstance(answer, tuple):  # predictions, and metrics beside them
            answer = answer[0]
        values = np.asarray(answer.detach().cpu() if hasattr(answer, "detach") else answer)
        if self._about["target"]:
            return pd.DataFrame({"prediction": values.reshape(len(rows)).astype(np.float64)})
        classes = list(rows.classes)
        if values.ndim == 1:
            names = values.dtype.kind not in "iufb"
            ids = [classes.index(str(v)) if names else int(v) for v in values.tolist()]
            values = np.eye(len(classes))[ids]
        shares = values.reshape(len(rows), len(classes)).astype(np.float64)
        best = shares.argmax(axis=1)
        columns: dict[str, Any] = {
            "label": [classes[number] for number in best],
            "probability": shares[np.arange(len(rows)), best],
        }
        for number, name in enumerate(classes):
            columns[f"p_{name}"] = shares[:, number]
        return pd.DataFrame(columns)


mlflow.models.set_model(OwnFunction())
