"""Numbers for how well a representation keeps classes apart."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import silhouette_score
from sklearn.preprocessing import StandardScaler

from trainables.analysis import hypersphere
from trainables.analysis.pca import plane
from trainables.engine.arrays import IntArray, RealArray

# The silhouette compares every row with every other.
_MOST_ROWS = 5_000


@dataclass(frozen=True, kw_only=True)
class Separation:
    """Numbers of one representation on the test part.

    Attributes:
        linear: Linear separability: test accuracy of a logistic regression on all dimensions
            (standardised, scikit-learn's, C = 1) fitted on the training part.
        in_plane: The same in the picture's plane, fitted and scored on the points that it shows:
            the part of the classes that a straight line through the picture separates.
        silhouette: Mean silhouette of the classes, in [-1, 1], higher is better (Rousseeuw, 1987).
        alignment: See `hypersphere.alignment`; lower is better.
        uniformity: See `hypersphere.uniformity`; lower is better.
        anisotropy: See `hypersphere.anisotropy`; near 1 all point one way.
    """

    linear: float
    in_plane: float
    silhouette: float
    alignment: float
    uniformity: float
    anisotropy: float


def measure(
    train: RealArray, train_labels: IntArray, test: RealArray, test_labels: IntArray
) -> Separation:
    """Return the numbers of a representation.

    Args:
        train: Features of training rows, (train, width).
        train_labels: Class ids of the training rows, (train,).
        test: Features of test rows, (test, width).
        test_labels: Class ids of the test rows, (test,); at least two classes, one with two rows.
    """
    scaler = StandardScaler().fit(train)
    points, _ = plane(test)
    silhouette = silhouette_score(
        test,
        test_labels,
        sample_size=_MOST_ROWS if len(test) > _MOST_ROWS else None,
        random_state=0,
    )
    return Separation(
        linear=_accuracy(
            scaler.transform(train), train_labels, scaler.transform(test), test_labels
        ),
        in_plane=_accuracy(points, test_labels, points, test_labels),
        silhouette=float(silhouette),
        alignment=hypersphere.alignment(test, test_labels),
        uniformity=hypersphere.uniformity(test),
        anisotropy=hypersphere.anisotropy(test),
    )


def _accuracy(
    train: RealArray, train_labels: IntArray, test: RealArray, test_labels: IntArray
) -> float:
    with warnings.catch_warnings():
        # After 500 steps the last digits of the optimum change no third digit here.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = LogisticRegression(max_iter=500).fit(train, train_labels)
    return float(fitted.score(test, test_labels))
