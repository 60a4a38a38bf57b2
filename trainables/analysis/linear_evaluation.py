"""Linear evaluation of an encoder.

Alignment, uniformity and, on scored pairs, Spearman's rho stand beside the accuracy. The classifier
is scikit-learn's logistic regression on standardised features, trained to its optimum on a cell's
training rows: the best that a linear layer can do with the features, at any learning rate. Labels
reach only this classifier and the alignment.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from trainables.analysis import hypersphere
from trainables.engine.arrays import Float32Array, IntArray, RealArray
from trainables.engine.datasets.columns import check_texts, texts_of
from trainables.engine.datasets.label_cells import is_missing
from trainables.engine.errors import DataError
from trainables.engine.tables.files import ENDINGS, is_table, read_file
from trainables.engine.tables.table import listed
from trainables.engine.training.read_out import Outputs, Reading

_STEPS = 500
_LEAST_PAIRS = 3


@dataclass(frozen=True)
class ScoredPairs:
    """Pairs of texts with people's scores of their similarity.

    Attributes:
        first: First texts.
        second: Second texts, as many.
        scores: Scores, as many; higher is more alike, in any unit.
    """

    first: tuple[str, ...]
    second: tuple[str, ...]
    scores: tuple[float, ...]

    def spearman(self, first: RealArray, second: RealArray) -> float:
        """Return Spearman's rank correlation of cosines and scores.

        It is 0 where one of them is constant.

        Args:
            first: Features of the first texts, (pairs, width).
            second: Features of the second texts, (pairs, width).
        """
        wide = [np.asarray(part, np.float64) for part in (first, second)]
        lengths = np.linalg.norm(wide[0], axis=1) * np.linalg.norm(wide[1], axis=1)
        cosines = np.sum(wide[0] * wide[1], axis=1) / np.maximum(lengths, 1e-12)
        if np.ptp(cosines) == 0 or len(set(self.scores)) == 1:
            return 0.0
        return float(spearmanr(cosines, self.scores).statistic)


def read_pairs(file: str) -> ScoredPairs:
    """Return the scored pairs of a table.

    Its columns are text, text_b, and score, or else label.

    Args:
        file: Path of a .csv, .tsv, .jsonl or .parquet file.

    Raises:
        DataError: if it cannot be read, lacks a column, or a score is no number.
    """
    path = Path(file).expanduser()
    if not is_table(path) or not path.is_file():
        raise DataError(
            f"pairs must be a table of scored pairs ({', '.join(ENDINGS)}) with the columns text, "
            f"text_b and score, got {file!r}, which is no such file."
        )
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _read(path: Path, _modified: int) -> ScoredPairs:
    table = read_file(path, ["text", "text_b", "score", "label"])
    score = "score" if "score" in table.columns else "label"
    lacking = [name for name in ("text", "text_b", score) if name not in table.columns]
    if lacking:
        raise DataError(
            f"{path} has no column {lacking[0]!r}; a table of scored pairs has text, text_b and "
            f"score (or label). Its columns: {listed(table.names)}."
        )
    for name in ("text", "text_b"):
        missing = [row for row, value in enumerate(table.columns[name]) if is_missing(value)]
        if missing:
            raise DataError(f"{path}, {table.place(missing[0])}: column {name!r} has no text.")
        check_texts(table, name)
    texts = [texts_of(table, name, range(table.rows)) for name in ("text", "text_b")]
    return ScoredPairs(tuple(texts[0]), tuple(texts[1]), _numbers(table.columns[score], path))


def _numbers(values: Sequence[object], path: Path) -> tuple[float, ...]:
    numbers = []
    for row, value in enumerate(values, start=1):
        try:
            numbers.append(float(str(value)))
        except ValueError:
            raise DataError(
                f"{path}, data row {row:,}: a pair's score must be a number, got {value!r}."
            ) from None
    if len(numbers) < _LEAST_PAIRS or not np.isfinite(numbers).all():
        raise DataError(
            f"{path} must have at least {_LEAST_PAIRS} pairs, all with a score, got {len(numbers)}."
        )
    return tuple(numbers)


@dataclass(frozen=True)
class LinearEvaluation:
    """A read-out (`trainables.engine.training.read_out.ReadOut`) by logistic regression.

    Attributes:
        pairs: Scored pairs to correlate cosines with; None without.
    """

    pairs: ScoredPairs | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """Texts of the pairs: all first ones, then all second ones."""
        return () if self.pairs is None else (*self.pairs.first, *self.pairs.second)

    def read(self, outputs: Outputs, classes: int) -> Reading:
        """Return probabilities, alignment and uniformity of held-out rows.

        Args:
            outputs: Features of a cell's texts.
            classes: Number of classes of the data.
        """
        facts = {
            "alignment": hypersphere.alignment(outputs.held_out, outputs.held_out_labels),
            "uniformity": hypersphere.uniformity(outputs.held_out),
        }
        if self.pairs is not None:
            facts["spearman"] = self.pairs.spearman(*np.split(outputs.further, 2))
        predicted = probabilities(outputs.train, outputs.train_labels, outputs.held_out, classes)
        return Reading(predicted, facts)


def probabilities(
    train: RealArray, labels: IntArray, held_out: RealArray, classes: int
) -> Float32Array:
    """Return class probabilities of a logistic regression, float32 (held_out, classes).

    Args:
        train: Features to learn from, (train, width).
        labels: Class ids of the features, (train,).
        held_out: Features to classify, (held_out, width).
        classes: Number of classes of the data; one without a row in `labels` gets probability 0.
    """
    scaler = StandardScaler().fit(np.asarray(train, np.float64))
    with warnings.catch_warnings():
        # After 500 steps the last digits of the optimum change no third digit here.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = LogisticRegression(max_iter=_STEPS).fit(scaler.transform(train), labels)
    predicted = np.zeros((len(held_out), classes), np.float32)
    predicted[:, fitted.classes_] = fitted.predict_proba(scaler.transform(held_out))
    return predicted
