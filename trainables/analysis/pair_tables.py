"""Tables of pairs that an encoder is judged by, without training.

A table with scores is judged by the rank correlation of scores and cosines: semantic textual
similarity, word similarity. A table without scores is a lexicon: each text's nearest neighbour
among all second texts is looked up: bilingual lexicon induction, entity linking.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from scipy.stats import rankdata, spearmanr

from trainables.analysis import hypersphere
from trainables.engine.arrays import BoolArray, RealArray
from trainables.engine.datasets.columns import check_texts, texts_of
from trainables.engine.datasets.label_cells import is_missing
from trainables.engine.errors import DataError
from trainables.engine.features import table_folders
from trainables.engine.tables.files import ENDINGS, is_table, read_file
from trainables.engine.tables.table import Table, listed

_LEAST_PAIRS = 3
# SimCSE's positives are pairs of STS-B that score above 4 of 5.
_POSITIVE_SHARE = 0.8
_AT_ONCE = 512


class PairTable(Protocol):
    """A table of pairs, and figures of an encoder on it."""

    @property
    def texts(self) -> tuple[str, ...]:
        """All texts whose features it needs."""
        ...

    def figures(self, features: RealArray) -> dict[str, float]:
        """Return figures of the features of `texts`, (texts, width)."""
        ...


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

    @property
    def texts(self) -> tuple[str, ...]:
        """All first texts, then all second ones."""
        return (*self.first, *self.second)

    def figures(self, features: RealArray) -> dict[str, float]:
        """Return rank correlation, alignment of positives, and area under the ROC."""
        first, second = np.split(np.asarray(features, np.float64), 2)
        scores = np.array(self.scores)
        found = {"spearman": self.spearman(first, second)}
        positive = scores > _POSITIVE_SHARE * scores.max()
        if positive.any() and (features != 0).any(axis=1).all():
            found["pair_alignment"] = hypersphere.pair_alignment(first[positive], second[positive])
        if len(set(self.scores)) == 2:
            found["auc"] = _area(_cosines(first, second), scores == scores.max())
        return found

    def spearman(self, first: RealArray, second: RealArray) -> float:
        """Return Spearman's rank correlation of cosines and scores.

        It is 0 where one of them is constant.

        Args:
            first: Features of the first texts, (pairs, width).
            second: Features of the second texts, (pairs, width).
        """
        cosines = _cosines(first, second)
        if np.ptp(cosines) == 0 or len(set(self.scores)) == 1:
            return 0.0
        return float(spearmanr(cosines, self.scores).statistic)


@dataclass(frozen=True)
class Lexicon:
    """Texts with their right answers among candidates.

    Attributes:
        queries: Distinct texts to look up.
        candidates: Distinct second texts.
        right: Numbers of each query's right candidates.
    """

    queries: tuple[str, ...]
    candidates: tuple[str, ...]
    right: tuple[tuple[int, ...], ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """All queries, then all candidates."""
        return (*self.queries, *self.candidates)

    def figures(self, features: RealArray) -> dict[str, float]:
        """Return accuracy at 1 and 5, and the mean reciprocal rank.

        The rank of a query is that of its best right candidate; equal cosines count against it.
        """
        sphere = np.asarray(features, np.float64)
        sphere = sphere / np.maximum(np.linalg.norm(sphere, axis=1, keepdims=True), 1e-12)
        queries, candidates = sphere[: len(self.queries)], sphere[len(self.queries) :]
        ranks = []
        for start in range(0, len(queries), _AT_ONCE):
            cosines = queries[start : start + _AT_ONCE] @ candidates.T
            for row, own in zip(cosines, self.right[start:], strict=False):
                best = row[list(own)].max()
                ranks.append(1 + int((np.delete(row, list(own)) >= best).sum()))
        found = np.array(ranks)
        return {
            "accuracy_at_1": float((found == 1).mean()),
            "accuracy_at_5": float((found <= 5).mean()),
            "reciprocal_rank": float((1 / found).mean()),
        }


def figures(tables: Sequence[tuple[str, PairTable]], features: RealArray) -> dict[str, float]:
    """Return each figure's mean over the tables, and each table's own.

    Args:
        tables: Tables by name.
        features: Features of their texts, one table's after another's.
    """
    found: dict[str, dict[str, float]] = {}
    start = 0
    for name, table in tables:
        stop = start + len(table.texts)
        for figure, value in table.figures(features[start:stop]).items():
            found.setdefault(figure, {})[name] = value
        start = stop
    means = {figure: float(np.mean(list(of.values()))) for figure, of in found.items()}
    if len(tables) < 2:
        return means
    return means | {f"{f}_{name}": v for f, of in found.items() for name, v in of.items()}


def read_tables(reference: str) -> tuple[tuple[str, PairTable], ...]:
    """Return the tables that a reference names.

    Args:
        reference: Path of a table (columns text, text_b, and score or label; without these a
            lexicon), of a folder of such tables, or `sts`.

    Raises:
        DataError: if one cannot be read, lacks a column, or a score is no number.
    """
    if table_folders.is_folder(reference):
        paths: Mapping[str, Path] = table_folders.tables(reference)
    else:
        path = Path(reference).expanduser()
        paths = {path.name.partition(".")[0]: path}
        if not is_table(path) or not path.is_file():
            raise DataError(
                f"pairs must be a table ({', '.join(ENDINGS)}) with the columns text, text_b and "
                f"score, a folder of such tables, or sts; got {reference!r}, which is none."
            )
    return tuple((name, _read(path, path.stat().st_mtime_ns)) for name, path in paths.items())


@lru_cache(maxsize=16)
def _read(path: Path, _modified: int) -> PairTable:
    table = read_file(path, ["text", "text_b", "score", "label", "concept"])
    lacking = [name for name in ("text", "text_b") if name not in table.columns]
    if lacking:
        raise DataError(
            f"{path} has no column {lacking[0]!r}; a table of scored pairs has text, text_b and "
            f"score (or label). Its columns: {listed(table.names)}."
        )
    score = next((name for name in ("score", "label") if name in table.columns), None)
    _check(table, path, "text_b")
    if score is None:
        return _lexicon(table, path)
    _check(table, path, "text")
    texts = [texts_of(table, name, range(table.rows)) for name in ("text", "text_b")]
    return ScoredPairs(tuple(texts[0]), tuple(texts[1]), _numbers(table.columns[score], path))


def _check(table: Table, path: Path, name: str) -> None:
    missing = [row for row, value in enumerate(table.columns[name]) if is_missing(value)]
    if missing:
        raise DataError(f"{path}, {table.place(missing[0])}: column {name!r} has no text.")
    check_texts(table, name)


def _lexicon(table: Table, path: Path) -> Lexicon:
    """Return the lexicon of a table.

    A row without a first text is a candidate alone. Candidates of one `concept`, where there is
    such a column, are all right for each other's texts.
    """
    answers = [str(value) for value in texts_of(table, "text_b", range(table.rows))]
    asked = [row for row, value in enumerate(table.columns["text"]) if not is_missing(value)]
    texts = dict(zip(asked, texts_of(table, "text", asked), strict=True))
    number = {text: at for at, text in enumerate(dict.fromkeys(answers))}
    concepts = table.columns.get("concept", answers)
    members: dict[str, set[int]] = {}
    for concept, answer in zip(concepts, answers, strict=True):
        members.setdefault(str(concept), set()).add(number[answer])
    right: dict[str, set[int]] = {}
    for row, text in texts.items():
        right.setdefault(text, set()).update(members[str(concepts[row])])
    if not right or len(number) < 2:
        raise DataError(
            f"{path} must have texts and at least 2 different second texts to find them among, got "
            f"{len(right):,} and {len(number):,}."
        )
    return Lexicon(tuple(right), tuple(number), tuple(tuple(sorted(of)) for of in right.values()))


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


def _cosines(first: RealArray, second: RealArray) -> RealArray:
    wide = [np.asarray(part, np.float64) for part in (first, second)]
    lengths = np.linalg.norm(wide[0], axis=1) * np.linalg.norm(wide[1], axis=1)
    cosines: RealArray = np.sum(wide[0] * wide[1], axis=1) / np.maximum(lengths, 1e-12)
    return cosines


def _area(values: RealArray, positive: BoolArray) -> float:
    """Return the area under the ROC."""
    few = int(positive.sum())
    many = len(values) - few
    ranks = rankdata(values)[positive]
    return float((ranks.sum() - few * (few + 1) / 2) / (few * many))
