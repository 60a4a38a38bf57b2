"""The numbers beside the pictures, against sums written out."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from trainables.analysis import hypersphere, pca, separation, token_correlation

DRAW = np.random.default_rng(3)


def test_alignment_is_the_mean_over_all_pairs_of_one_class() -> None:
    points, labels = DRAW.normal(size=(12, 3)), np.array([0, 1, 2] * 4)
    unit = [row / math.sqrt(sum(x * x for x in row)) for row in points]
    distances = [
        sum((a - b) ** 2 for a, b in zip(unit[i], unit[j], strict=True))
        for i, j in itertools.permutations(range(12), 2)
        if labels[i] == labels[j]
    ]
    assert hypersphere.alignment(points, labels) == pytest.approx(sum(distances) / len(distances))


def test_uniformity_is_the_log_of_the_mean_potential_of_all_pairs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hypersphere, "_ROWS_AT_ONCE", 5)
    points = DRAW.normal(size=(12, 3))
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    potentials = [
        math.exp(-2 * float(((unit[i] - unit[j]) ** 2).sum()))
        for i, j in itertools.permutations(range(12), 2)
    ]
    expected = math.log(sum(potentials) / len(potentials))
    assert hypersphere.uniformity(points) == pytest.approx(expected)


def test_both_know_the_ends_of_their_ranges() -> None:
    same = np.tile([[0.6, 0.8]], (4, 1)) * np.array([[1], [2], [3], [4]])
    assert hypersphere.alignment(same, np.zeros(4, np.int64)) == pytest.approx(0, abs=1e-12)
    assert hypersphere.uniformity(same) == pytest.approx(0, abs=1e-12)
    opposite = np.array([[1.0, 0.0], [-1.0, 0.0]])
    assert hypersphere.alignment(opposite, np.zeros(2, np.int64)) == pytest.approx(4)
    assert hypersphere.uniformity(opposite) == pytest.approx(-8)


def test_rows_without_a_direction_are_left_out() -> None:
    points, labels = DRAW.normal(size=(8, 3)), np.array([0, 1] * 4)
    with_zero = np.vstack([points, np.zeros((1, 3))])
    assert hypersphere.uniformity(with_zero) == pytest.approx(hypersphere.uniformity(points))
    assert hypersphere.alignment(with_zero, np.append(labels, 0)) == pytest.approx(
        hypersphere.alignment(points, labels)
    )


@pytest.mark.parametrize("values", [np.zeros((3, 2)), np.ones((1, 2))])
def test_too_few_rows_are_refused(values: np.ndarray) -> None:
    with pytest.raises(ValueError, match="at least 2 rows"):
        hypersphere.uniformity(values)
    with pytest.raises(ValueError, match="at least 2 rows"):
        hypersphere.alignment(values, np.zeros(len(values), np.int64))


def test_clouds_far_apart_are_separable_and_one_cloud_is_not() -> None:
    labels = np.array([0, 1] * 100)
    noise = DRAW.normal(size=(200, 5))
    apart = noise + 8.0 * labels[:, None]
    good = separation.measure(apart[:100], labels[:100], apart[100:], labels[100:])
    bad = separation.measure(noise[:100], labels[:100], noise[100:], labels[100:])
    assert (good.linear, good.in_plane) == (1.0, 1.0)
    assert good.silhouette > 0.7
    assert bad.linear < 0.7
    assert abs(bad.silhouette) < 0.1
    assert good.alignment < bad.alignment


def test_the_plane_holds_the_widest_directions() -> None:
    points = DRAW.normal(size=(300, 4)) * np.array([1.0, 9.0, 0.1, 4.0]) + 5.0
    given, shares = pca.plane(points)
    centred = points - points.mean(axis=0)
    values = np.sort(np.linalg.eigvalsh(centred.T @ centred))[::-1]
    np.testing.assert_allclose(shares, values[:2] / values.sum())
    np.testing.assert_allclose((given**2).sum(axis=0), values[:2])


def test_equal_tokens_correlate_fully_before_the_encoder_only(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    tokens, found = token_correlation.matrices("the film was the end", str(tiny_encoder))
    assert tokens == ["the", "film", "was", "the", "end"]
    assert found["before"][0, 3] == pytest.approx(1)
    assert found["after"][0, 3] < 1 - 1e-6
    path = tmp_path / "tokens.png"
    token_correlation.picture(tokens, found, "five tokens", path)
    assert path.stat().st_size > 10_000


def test_anisotropy_is_the_mean_cosine_of_two_rows() -> None:
    rows = np.random.default_rng(0).normal(size=(30, 5)) + 0.5
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = [unit[a] @ unit[b] for a in range(30) for b in range(30) if a != b]
    assert hypersphere.anisotropy(rows) == pytest.approx(np.mean(cosines), abs=1e-12)
    assert hypersphere.anisotropy(np.ones((3, 2))) == pytest.approx(1)
    with pytest.raises(ValueError, match="at least 2 rows"):
        hypersphere.anisotropy(rows[:1])


def test_alignment_of_pairs_is_the_mean_squared_distance_of_the_two() -> None:
    first, second = np.random.default_rng(0).normal(size=(2, 30, 5))
    unit = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in (first, second)]
    want = [np.sum((a - b) ** 2) for a, b in zip(*unit, strict=True)]
    assert hypersphere.pair_alignment(first, second) == pytest.approx(np.mean(want), abs=1e-12)
    second[3] = 0  # no direction
    want.pop(3)
    assert hypersphere.pair_alignment(first, second) == pytest.approx(np.mean(want), abs=1e-12)
