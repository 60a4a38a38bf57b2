"""TF-IDF features, fitted on a cell's training rows only.

The texts are cut into terms and counted once for a data set; a fold then chooses its vocabulary and
weights from the counts of its training rows. The result is that of scikit-learn's TfidfVectorizer
fitted on the training texts (a test compares), at a fraction of its time for twenty folds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

from trainables.engine.arrays import Float32Array, IntArray
from trainables.engine.features.representation import Parts, Progress
from trainables.engine.text_data import TextData


@dataclass(frozen=True, eq=False)
class Counts:
    """Counts of each term in each text.

    Attributes:
        matrix: Sparse counts (rows, terms), terms in alphabetical order.
        terms: Terms, (terms,).
    """

    matrix: Any
    terms: Any


@dataclass(frozen=True, eq=False)
class FittedTfidf:
    """A vocabulary and its weights.

    Attributes:
        terms: Chosen terms in alphabetical order, (chosen,).
        transformer: Weights by their inverse document frequencies.
    """

    terms: tuple[str, ...]
    transformer: TfidfTransformer

    @cached_property
    def place(self) -> dict[str, int]:
        """Column of each term."""
        return {term: i for i, term in enumerate(self.terms)}


@dataclass(frozen=True, kw_only=True)
class Tfidf:
    """TF-IDF; see `trainables.engine.features.representation.Fitted`.

    Attributes:
        about: Description in a line.
        ngram: 1 for single words, 2 for pairs of neighbours only.
        stop_words: True to remove scikit-learn's English stop words before pairs are made.
        width: Number of terms, the most frequent of the training texts; where there are fewer, the
            other columns are zero.
        paper: See `Card`.
    """

    about: str
    ngram: int
    stop_words: bool
    width: int = 300
    paper: tuple[str, float] | None = None
    uses_encoder: bool = False

    def _counter(self) -> CountVectorizer:
        return CountVectorizer(
            ngram_range=(self.ngram, self.ngram),
            stop_words="english" if self.stop_words else None,
        )

    def counts(self, data: TextData, progress: Progress) -> Counts:
        """Count every term in every row."""

        def texts() -> Iterator[str]:
            seconds = data.texts_b or ("",) * len(data)
            for row, (first, second) in enumerate(zip(data.texts, seconds, strict=True)):
                progress(row, len(data))
                yield f"{first} {second}" if second else first

        counter = self._counter()
        matrix = sparse.csr_matrix(counter.fit_transform(texts()))
        return Counts(matrix, counter.get_feature_names_out())

    def fit(self, counts: Counts, train: IntArray) -> tuple[Float32Array, FittedTfidf]:
        """Fit on some rows; features of all have length 1 or 0."""
        frequencies = np.asarray(counts.matrix[train].sum(axis=0)).ravel()
        # As TfidfVectorizer(max_features=width) does it, ties included.
        present = np.flatnonzero(frequencies)
        chosen = np.sort(present[(-frequencies[present]).argsort()[: self.width]])
        columns = counts.matrix[:, chosen]
        transformer = TfidfTransformer().fit(columns[train])
        features = np.zeros((counts.matrix.shape[0], self.width), np.float32)
        features[:, : len(chosen)] = transformer.transform(columns).toarray()
        return features, FittedTfidf(tuple(counts.terms[chosen]), transformer)

    def fitted_parts(self, texts: Sequence[str], fitted: FittedTfidf) -> Iterator[Parts]:
        """Split texts into terms of the vocabulary, with their values.

        A term has no place in the text: scikit-learn's analyser does not tell it.
        """
        analyse = self._counter().build_analyzer()
        for text in texts:
            terms = sorted({term for term in analyse(text) if term in fitted.place})
            row = np.zeros((1, len(fitted.terms)))
            for term in analyse(text):
                if term in fitted.place:
                    row[0, fitted.place[term]] += 1
            values = fitted.transformer.transform(sparse.csr_matrix(row)).toarray()[0]
            vectors = np.zeros((len(terms), self.width), np.float32)
            columns = [fitted.place[term] for term in terms]
            vectors[np.arange(len(terms)), columns] = values[columns]
            yield Parts(
                words=tuple(terms),
                spans=(None,) * len(terms),
                groups=tuple(range(len(terms))),
                vectors=vectors,
                divisor=1.0,
                text=text,
            )
