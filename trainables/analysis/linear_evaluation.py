"""Linear evaluation of an encoder.

Alignment, uniformity, anisotropy and the figures of tables of pairs (`pair_tables`) stand beside
the accuracy. The classifier
is scikit-learn's logistic regression on standardised features, trained to its optimum on a cell's
training rows: the best that a linear layer can do with the features, at any learning rate. Labels
reach only this classifier and the alignment.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from trainables.analysis import hypersphere, pair_tables
from trainables.analysis.pair_tables import PairTable
from trainables.engine.arrays import Float32Array, IntArray, RealArray
from trainables.engine.training.read_out import Outputs, Reading

_STEPS = 500


@dataclass(frozen=True)
class LinearEvaluation:
    """A read-out (`trainables.engine.training.read_out.ReadOut`) by logistic regression.

    Attributes:
        pairs: Tables of pairs to judge the features by, by name.
    """

    pairs: tuple[tuple[str, PairTable], ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """Texts of the tables, one table's after another's."""
        return tuple(text for _, table in self.pairs for text in table.texts)

    def read(self, outputs: Outputs, classes: int) -> Reading:
        """Return probabilities of held-out rows, and figures of the features.

        Args:
            outputs: Features of a cell's texts.
            classes: Number of classes of the data.
        """
        facts = {
            "alignment": hypersphere.alignment(outputs.held_out, outputs.held_out_labels),
            "uniformity": hypersphere.uniformity(outputs.held_out),
            "anisotropy": hypersphere.anisotropy(outputs.held_out),
            **pair_tables.figures(self.pairs, outputs.further),
        }
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
