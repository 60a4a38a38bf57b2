"""Class activation maps on words.

Equation (2), section 3.2 of Better Reasoning Behind Classification Predictions with BERT for Fake
News Detection (Lee), after Zhou et al., 2016:

    M_c(l) = sum_k  w_k^c f_k(l)

    paper   here                          shape
    l       a part: token, word or term   (parts,)
    f_k(l)  `Parts.vectors`               (parts, width)
    w_k^c   weight of the linear layer    (classes, width)

The linear layer stands on the mean over parts, so the scores of a text add up to its logit without
the bias, times the number of parts (`Parts.divisor`).

A softmax does not change when one vector is added to the weights of all classes, so M_c holds
whatever the layer was drawn with, for all classes alike: after a short training that is most of it.
`centred` takes the mean over classes off the weights. The probabilities are the same, equation (2)
holds for the layer so written, and a word that speaks for one of two classes speaks against the
other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainables.engine.arrays import FloatArray
from trainables.engine.features.representation import Parts
from trainables.engine.refit.linear_layer import LinearLayer

# Share of a text's words that is marked, section 4.2.
MARKED = 0.1


@dataclass(frozen=True)
class Word:
    """A word of a text, with the sum of its parts' scores.

    Attributes:
        text: Word as it stands in the text; the term itself where it has no place.
        span: Place in the text, (begin, end) in characters; None without a place.
        score: M_c of the word.
    """

    text: str
    span: tuple[int, int] | None
    score: float


def scores(parts: Parts, layer: LinearLayer) -> FloatArray:
    """M_c of every part for every class, float64 (classes, parts)."""
    return layer.weight.astype(np.float64) @ parts.vectors.astype(np.float64).T


def words(parts: Parts, part_scores: FloatArray) -> list[Word]:
    """Join the parts of each word and add up their scores.

    Parts of no word, [CLS] and [SEP], are left out.

    Args:
        parts: Parts of the text.
        part_scores: Score of each part, (parts,).
    """
    joined: list[Word] = []
    last = -1
    for word, span, group, score in zip(
        parts.words, parts.spans, parts.groups, part_scores.tolist(), strict=True
    ):
        if group < 0:
            continue
        if group == last and joined:
            before = joined[-1]
            text = before.text + word.removeprefix("##")
            whole = None
            if before.span is not None and span is not None:
                whole = (before.span[0], span[1])
                text = parts.text[slice(*whole)]
            joined[-1] = Word(text, whole, before.score + score)
        else:
            text = word if span is None else parts.text[slice(*span)]
            joined.append(Word(text, span, score))
        last = group
    return joined


def marked(scored: list[Word], share: float = MARKED) -> set[int]:
    """Places of the best-scored words: a share of them, at least one."""
    most = max(1, round(share * len(scored))) if scored else 0
    order = sorted(range(len(scored)), key=lambda i: (-scored[i].score, i))
    return set(order[:most])
