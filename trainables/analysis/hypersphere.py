"""Alignment and uniformity of a representation on the unit hypersphere.

Wang and Isola, ICML 2020, as the slides "contrastive learning" quote them:

    l_align   = E_{(x, x+) ~ p_pos} || f(x) - f(x+) ||^2
    l_uniform = log E_{x, y} exp(-2 || f(x) - f(y) ||^2)

Embeddings are scaled to length 1 first. Positive pairs are all pairs of different rows of one
class; the pairs of the second formula are all pairs of different rows. Both: lower is better;
alignment lies in [0, 4], uniformity in [-8, 0].

SimCSE's alignment takes its positive pairs from a table: `pair_alignment`. Anisotropy is the mean
cosine of two rows (Ethayarajh, EMNLP 2019): 0 for directions drawn at random, 1 for a single one.
"""

from __future__ import annotations

import numpy as np

from trainables.engine.arrays import BoolArray, FloatArray, IntArray, RealArray

_ROWS_AT_ONCE = 512


def on_sphere(embeddings: RealArray) -> tuple[FloatArray, BoolArray]:
    """Return rows scaled to length 1, and a mask of them.

    Rows of zeros have no direction and are left out.
    """
    wide = np.asarray(embeddings, np.float64)
    lengths = np.linalg.norm(wide, axis=1)
    directed = lengths > 0
    return wide[directed] / lengths[directed, None], directed


def alignment(embeddings: RealArray, labels: IntArray) -> float:
    """Return the mean squared distance of two rows of one class.

    Args:
        embeddings: Vectors of any length, (rows, width).
        labels: Class ids, (rows,).

    Raises:
        ValueError: if no class has two rows.
    """
    sphere, directed = on_sphere(embeddings)
    total = pairs = 0.0
    for label in np.unique(labels[directed]):
        rows = sphere[labels[directed] == label]
        n = len(rows)
        # The sum over ordered pairs of |a - b|^2 = 2 - 2 a.b, without making the pairs.
        total += 2.0 * n * n - 2.0 * float(np.square(rows.sum(axis=0)).sum())
        pairs += n * (n - 1)
    if not pairs:
        raise ValueError("alignment wants a class of at least 2 rows, found none.")
    return total / pairs


def pair_alignment(first: RealArray, second: RealArray) -> float:
    """Return the mean squared distance of a text and its positive.

    Args:
        first: Vectors of any length, (pairs, width).
        second: Vectors of their positives, in the same order.

    Raises:
        ValueError: if no pair has two vectors that are not zero.
    """
    (one, with_first), (other, with_second) = on_sphere(first), on_sphere(second)
    both = with_first & with_second
    if not both.any():
        raise ValueError("alignment wants a pair of vectors that are not zero, found none.")
    apart = one[both[with_first]] - other[both[with_second]]
    return float(np.square(apart).sum(axis=1).mean())


def _at_least_two(embeddings: RealArray, measure: str) -> RealArray:
    """Return the rows on the sphere; refuse fewer than 2."""
    sphere, _ = on_sphere(embeddings)
    if len(sphere) < 2:
        raise ValueError(f"{measure} wants at least 2 rows that are not zero, found {len(sphere)}.")
    return sphere


def anisotropy(embeddings: RealArray) -> float:
    """Return the mean cosine of two different rows.

    Args:
        embeddings: Vectors of any length, (rows, width).

    Raises:
        ValueError: with fewer than 2 rows.
    """
    sphere = _at_least_two(embeddings, "anisotropy")
    n = len(sphere)
    return float((np.square(sphere.sum(axis=0)).sum() - n) / (n * (n - 1)))


def uniformity(embeddings: RealArray) -> float:
    """Return the log of the mean Gaussian potential of two rows.

    Args:
        embeddings: Vectors of any length, (rows, width).

    Raises:
        ValueError: with fewer than 2 rows.
    """
    sphere = _at_least_two(embeddings, "uniformity")
    n = len(sphere)
    total = 0.0
    for start in range(0, n, _ROWS_AT_ONCE):
        cosines = sphere[start : start + _ROWS_AT_ONCE] @ sphere.T
        total += float(np.exp(-2 * (2 - 2 * cosines)).sum())
    return float(np.log((total - n) / (n * (n - 1))))
