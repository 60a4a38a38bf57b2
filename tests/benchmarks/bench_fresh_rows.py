"""`make bench`: P(best) and the winner's figures on real texts, against rows no sweep saw.

FOLDRACE_DATA=DIR names a folder with mr.parquet, ... with columns text and label; without it there
is nothing to measure. A draw takes 1,000 rows for the sweep, 4 seeds x 5 folds: 128 configs of a
ridge classifier on the words' TF-IDF. The truth of a config is the accuracy of its 20 models on the
rows that were not drawn, their mean: the score that P(best) is about. Which words count, and their
IDF, come from 1,500 rows that are in neither: words chosen on the sweep's own rows would suit these
better than fresh ones. FOLDRACE_DRAWS=20 for figures to publish.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from bench_calibration import EDGES, FAVOURITES
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

from search.stats.intervals import corrected_interval
from search.stats.out_of_fold import OutOfFold
from search.stats.p_best import chances
from search.stats.selection_bias import Correction, correct
from search.strategies.named import make_strategy
from search.strategies.strategy import Problem

DATA = os.environ.get("FOLDRACE_DATA")
DRAWS = int(os.environ.get("FOLDRACE_DRAWS", "2"))
SETS = ("mr", "covid_fake_news", "mpqa", "liar")
ROWS, ELSEWHERE, SEEDS, FOLDS = 1000, 1500, 4, 5
MOST_FRESH = 9000
WORDS, WEIGHTS, NGRAMS = (25, 50, 100, 200), ("count", "log"), (1, 2)
RIDGES = 10.0 ** np.arange(-2, 2, 0.5)
CONFIGS = list(itertools.product(range(4), range(2), range(2), range(len(RIDGES))))
PROBLEM = Problem(
    features=np.array(CONFIGS, float),
    shapes=np.zeros(len(CONFIGS), np.int64),
    blocks=SEEDS * FOLDS,
    floor=(0,),
    rounds=tuple(np.repeat(range(SEEDS), FOLDS).tolist()),
)


@dataclass(frozen=True)
class Sweep:
    """A finished sweep.

    Attributes:
        scores: Accuracy by config and block.
        truth: Accuracy of each config's models on fresh rows.
        error: Standard error of that accuracy, for other fresh rows.
        guessed: Out-of-fold class by config, seed and row.
        folds: Fold of each row by seed.
        labels: Classes of the rows.
    """

    scores: np.ndarray
    truth: np.ndarray
    error: np.ndarray
    guessed: np.ndarray
    folds: np.ndarray
    labels: np.ndarray

    def pool(self, configs: np.ndarray) -> OutOfFold:
        """Out-of-fold predictions of configs."""
        classes = int(self.labels.max()) + 1
        sure = np.eye(classes, dtype=np.float32)[self.guessed[configs]]
        names = tuple(map(str, range(classes)))
        return OutOfFold(self.labels, np.arange(ROWS), names, sure, self.folds)


def draw(texts: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Sweep:
    """Draw rows and train all cells on them."""
    mine, other, fresh = np.split(rng.permutation(len(texts)), [ROWS, ROWS + ELSEWHERE])
    fresh = fresh[:MOST_FRESH]
    folds = np.stack([rng.permutation(ROWS) % FOLDS for _ in range(SEEDS)])
    scores = np.empty((len(CONFIGS), SEEDS * FOLDS))
    often = np.zeros((len(fresh), len(CONFIGS)), np.float32)
    guessed = np.empty((len(CONFIGS), SEEDS, ROWS), np.int64)
    target = 2.0 * np.eye(labels.max() + 1)[labels[mine]] - 1
    parts = texts[other], texts[mine], texts[fresh]
    counted = [_count(*parts, longest) for longest in NGRAMS]
    for number, (words, weight, ngrams) in enumerate(itertools.product(range(4), (0, 1), (0, 1))):
        elsewhere, counts, further = (part[:, : WORDS[words]] for part in counted[ngrams])
        idf = TfidfTransformer(sublinear_tf=WEIGHTS[weight] == "log").fit(elsewhere)
        known = idf.transform(counts).toarray()
        unseen = idf.transform(further).toarray().astype(np.float32)
        configs = number * len(RIDGES) + np.arange(len(RIDGES))
        for seed, fold in itertools.product(range(SEEDS), range(FOLDS)):
            out = folds[seed] == fold
            heads, bias = _ridges(known[~out], target[~out])
            own = (known[out] @ heads + bias).argmax(axis=2)
            scores[configs, seed * FOLDS + fold] = (own == labels[mine][out]).mean(axis=1)
            guessed[configs[:, None], seed, np.flatnonzero(out)] = own
            side_by_side = np.concatenate(heads, axis=1).astype(np.float32)
            told = (unseen @ side_by_side + bias.ravel()).reshape(len(fresh), *bias.shape[::2])
            right = told.argmax(axis=2) == labels[fresh][:, None]
            often[:, configs] += right
    often /= SEEDS * FOLDS
    truth = often.mean(axis=0, dtype=float)
    error = often.std(axis=0, dtype=float) / len(fresh) ** 0.5
    return Sweep(scores, truth, error, guessed, folds, labels[mine])


def _count(other: np.ndarray, mine: np.ndarray, fresh: np.ndarray, longest: int) -> list[Any]:
    """Counts of the most frequent terms of `other`, the most frequent first, in all three."""
    counter = CountVectorizer(max_features=WORDS[-1], ngram_range=(1, longest))
    counts = counter.fit_transform(other)
    order = np.argsort(-np.asarray(counts.sum(axis=0)).ravel(), kind="stable")
    return [counts[:, order], *(counter.transform(part)[:, order] for part in (mine, fresh))]


def _ridges(values: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Heads (ridges, words, classes) and biases (ridges, 1, classes)."""
    center, level = values.mean(axis=0), target.mean(axis=0)
    size, vectors = np.linalg.eigh((values - center).T @ (values - center))
    turned = vectors.T @ ((values - center).T @ (target - level))
    shrunk = turned / (np.maximum(size, 0)[:, None] + RIDGES[:, None, None])
    heads = vectors @ shrunk
    return heads, level - (center @ heads)[:, None]


@pytest.mark.skipif(DATA is None, reason="FOLDRACE_DATA names no folder with data")
def test_figures_hold_on_fresh_rows(record: Callable[..., None]) -> None:
    said: dict[str, list[tuple[float, bool]]] = {}
    bias: dict[str, list[tuple[float, float, bool, bool, bool]]] = {}
    for number, name in enumerate(SETS):
        table = pq.read_table(Path(str(DATA)) / f"{name}.parquet", columns=["text", "label"])
        texts = np.array(table["text"].to_pylist(), object)
        _, labels = np.unique(table["label"].to_numpy(), return_inverse=True)
        rng = np.random.default_rng(number)
        for repeat in range(DRAWS):
            sweep = draw(texts, labels, rng)
            for share in (1.0, 0.1, 0.05):
                told, winner = sweep.scores, int(sweep.scores.mean(axis=1).argmax())
                if share < 1:
                    told, won = _race(sweep.scores, share, seed=repeat)
                    if won is None:
                        continue
                    winner = won
                kind = "grid" if share == 1 else f"race, {100 * share:g}%"
                found = chances(PROBLEM, told, frozenset(), 1 / FOLDS)
                if found is not None and found.p_best is not None:
                    for config in np.argsort(-found.p_best)[:FAVOURITES]:
                        forecast = float(found.p_best[config]), config == sweep.truth.argmax()
                        said.setdefault(kind, []).append(forecast)
                means = None
                if found is not None:
                    means = found.on_fresh_rows if found.stopped else found.means
                fixed = correct(PROBLEM, told, winner, 1 / FOLDS, pool=sweep.pool, means=means)
                if fixed is None or fixed.low is None or fixed.high is None:
                    continue
                true, plain = sweep.truth[winner], corrected_interval(told[winner], 1 / FOLDS)
                bias.setdefault(f"{name}, {kind}", []).append(
                    (
                        plain.mean - true,
                        fixed.score - true,
                        plain.low <= true <= plain.high,
                        fixed.low <= true <= fixed.high,
                        _holds(fixed, float(true), float(sweep.error[winner])),
                    )
                )
    worst = _print_forecasts(said)
    for kind, rows in bias.items():
        raw, fixed_by, plain_in, fixed_in, fair_in = np.array(rows, float).T
        sys.stdout.write(
            f"\n{kind}: mean {100 * raw.mean():+.2f} ({100 * raw.std() / len(raw) ** 0.5:.2f}), "
            f"corrected {100 * fixed_by.mean():+.2f}, intervals hold "
            f"{plain_in.mean():.2f}, {fixed_in.mean():.2f}, with the truth's own error "
            f"{fair_in.mean():.2f} ({len(raw)})"
        )
    sys.stdout.write("\n")
    covered = np.concatenate([np.array(rows, float)[:, 4] for rows in bias.values()])
    record(
        "winner's corrected interval on real texts",
        f"share of {len(covered)} sweeps in which it holds the accuracy on fresh rows, the error "
        "of which is allowed for",
        float(covered.mean()),
        unit="",
        at_least=0.93,
    )
    record(
        "P(best) on real texts",
        f"largest gap of said and frequency in a bin of 30 forecasts, {DRAWS} draws a set",
        worst,
        unit="",
        at_most=0.05,
    )


def _holds(fixed: Correction, true: float, error: float) -> bool:
    """Whether the interval holds the truth, widened by what 95% of its own errors take."""
    assert fixed.low is not None
    assert fixed.high is not None
    reach = fixed.score - fixed.low if true < fixed.score else fixed.high - fixed.score
    return abs(true - fixed.score) <= float(np.hypot(reach, 1.96 * error))


def _race(scores: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, int | None]:
    """Scores that a race asked for, and its winner."""
    strategy = make_strategy("race", PROBLEM, seed=seed, max_cells=round(share * scores.size))
    while asked := strategy.ask(32):
        for cell in asked:
            strategy.tell(*cell, float(scores[cell]))
    return strategy.board.scores, strategy.winner()


def _print_forecasts(said: dict[str, list[tuple[float, bool]]]) -> float:
    """Print what was said and was so; return the largest gap of a bin with 30 forecasts."""
    worst = 0.0
    for kind, forecasts in said.items():
        chance, true = np.array(forecasts, float).T
        for low, high in itertools.pairwise(EDGES):
            inside = (chance >= low) & (chance < high)
            if not inside.any():
                continue
            stated, was, count = chance[inside].mean(), true[inside].mean(), int(inside.sum())
            sys.stdout.write(f"\n{kind}: said {stated:.2f}, was {was:.2f} ({count})")
            if count >= 30:
                worst = max(worst, abs(float(stated - was)))
    return worst
