"""Fine-tuning of an encoder for classification, as most people do it.

Cross-entropy on a linear classifier, the whole encoder trained: BERT (Devlin et al. 2019), section
4.1 and appendix A.3, which transformers' own classes follow.

    vector = pooled(encoder(text))
    loss   = sum_i w[y_i] (-log softmax(W vector_i + b)[y_i]) / sum_i w[y_i]

With classifier=tfidf a cell is no network: logistic regression on TF-IDF of single words, with
scikit-learn. It answers whether an encoder is worth its cost. Term frequencies are 1 + ln, and C is
10: rows are of length 1, so that the default 1 fits too little.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from torch import Tensor

from trainables.engine.arrays import Float32Array, IntArray
from trainables.engine.config import ClassifierTuning
from trainables.engine.models.output import Output
from trainables.engine.models.pooling import PooledClassifier, pooling_map_fault
from trainables.engine.models.pretrained import real_tokens
from trainables.losses.class_loss import ClassLoss

if TYPE_CHECKING:
    from transformers import PreTrainedModel

VERSION = 1

# More words than this are rare ones; they would only take memory.
_MOST_WORDS = 200_000


@dataclass(frozen=True, kw_only=True)
class Config(ClassifierTuning):
    """Hyper-parameters of one cell.

    Attributes:
        classifier: "encoder", fine-tuned; "tfidf", logistic regression on TF-IDF of words, in which
            no other setting has an effect.

    Raises:
        ConfigError: naming each field out of its range.
    """

    CLASSIFIERS: ClassVar[tuple[str, ...]] = ("encoder", "tfidf")

    classifier: str

    def rules(self) -> dict[str, bool]:
        """Rules of its own field and the shared ones."""
        known = self.classifier in self.CLASSIFIERS
        return {f"classifier one of {', '.join(self.CLASSIFIERS)}": known, **super().rules()}


class FineTuned(PooledClassifier):
    """An encoder with a linear classifier.

    Args:
        config: Hyper-parameters of the cell.
        encoder: A Hugging Face encoder, or the top blocks of one.
        num_classes: Number of classes.
    """

    def __init__(self, config: Config, encoder: PreTrainedModel, num_classes: int) -> None:
        super().__init__(config, encoder, num_classes)
        self.loss = ClassLoss(config, num_classes, mixed=True)

    def forward(self, inputs: dict[str, Tensor], labels: Tensor) -> Output:
        """Loss and logits of a batch.

        Args:
            inputs: Output of the tokenizer: input_ids, attention_mask ..., each (batch, length); in
                a stack the mask is (batch, 1, 1, length).
            labels: Class ids, (batch,).

        Returns:
            A scalar loss and logits (batch, classes).
        """
        tokens = self.encoder(**inputs).last_hidden_state  # (batch, length, width)
        logits = self.classified(tokens, real_tokens(inputs))
        return Output(loss=self.loss(logits, labels), logits=logits)


class TfidfRegression:
    """Logistic regression on TF-IDF of single words."""

    def __init__(self) -> None:
        self._words: Any = None
        self._model: Any = None
        self._classes: IntArray = np.zeros(0, np.int64)
        self._shares: Float32Array = np.zeros(0, np.float32)

    def fit(self, texts: Sequence[Sequence[str]], labels: IntArray) -> None:
        """Fit the training rows.

        Args:
            texts: Texts by column; words of a pair's second text are counted apart.
            labels: Class ids, (rows,).
        """
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression

        self._classes, counts = np.unique(labels, return_counts=True)
        self._shares = (counts / len(labels)).astype(np.float32)
        # Single characters, too: they are words in Chinese, and numbers of ratings.
        words = TfidfVectorizer(
            sublinear_tf=True, token_pattern=r"(?u)\b\w+\b", max_features=_MOST_WORDS
        )
        try:
            words.fit([text for column in texts for text in column])
        except ValueError:  # not one word in any text
            return
        if len(self._classes) == 1:
            return
        self._words = words
        self._model = LogisticRegression(C=10, max_iter=1000)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # unfinished after so many steps is near enough
            self._model.fit(self._features(texts), labels)

    def probabilities(self, texts: Sequence[Sequence[str]], classes: int) -> Float32Array:
        """Class probabilities of rows, float32 (rows, classes)."""
        found = np.zeros((len(texts[0]), classes), np.float32)
        known = self._shares if self._model is None else self._predicted(texts)
        found[:, self._classes] = known
        return found

    def _predicted(self, texts: Sequence[Sequence[str]]) -> Float32Array:
        shares: Float32Array = self._model.predict_proba(self._features(texts)).astype(np.float32)
        return shares

    def _features(self, texts: Sequence[Sequence[str]]) -> Any:
        from scipy import sparse

        return sparse.hstack([self._words.transform(column) for column in texts], format="csr")


def estimator(config: Config) -> TfidfRegression | None:
    """Classifier that is fitted in place of a network."""
    return TfidfRegression() if config.classifier == "tfidf" else None


def map_fault(config: Config) -> str | None:
    """Reason why there is no class activation map; None where there is."""
    if config.classifier == "tfidf":
        return "Counted words have weights of their own, and no map."
    return pooling_map_fault(config.pooling)


def pooling(config: Config) -> str:
    """Vector that the linear classifier sees."""
    return config.pooling


def stack_key(config: Config) -> Config:
    """Config with all values that may differ within a stack set alike."""
    return replace(config, class_weights="none", label_smoothing=0.0)


def build(config: Config, encoder: PreTrainedModel, num_classes: int) -> FineTuned:
    """Build the module of one cell, its head drawn from torch's generator."""
    return FineTuned(config, encoder, num_classes)
