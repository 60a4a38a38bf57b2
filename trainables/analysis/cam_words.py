"""Aggregated class activation maps: words of a class over all texts.

The words of fake news, for example, are those with the highest mean score for the class, over all
their occurrences in all texts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainables.analysis import cam, lettering
from trainables.analysis.pca import COLOURS
from trainables.engine.arrays import FloatArray
from trainables.engine.features.representation import Parts
from trainables.engine.refit.linear_layer import LinearLayer

_SHARE, _FEWEST = 0.005, 3


@dataclass(frozen=True)
class WordMean:
    """A word's mean score for a class.

    Attributes:
        word: Word in lower case.
        mean: Mean of M_c over its occurrences.
        count: Number of its occurrences.
        texts: Number of texts that hold it.
    """

    word: str
    mean: float
    count: int
    texts: int


@dataclass(frozen=True)
class Aggregate:
    """The words of a whole data set, ranked by class.

    Attributes:
        ranked: Words with the highest mean score by class, best first.
        texts: Number of texts that were read.
        cut: Number of texts that were read to the limit only.
        least_texts: Least number of texts that hold a word; means of rarer words are luck.
    """

    ranked: dict[str, list[WordMean]]
    texts: int
    cut: int
    least_texts: int


def aggregate(
    texts: Iterable[Parts],
    layer: LinearLayer,
    label_names: Sequence[str],
    *,
    least_texts: int | None,
    most: int,
) -> Aggregate:
    """Return the words that push towards each class.

    Args:
        texts: Parts of each text; one text after another, so that they need not fit into memory.
        layer: Classifier.
        label_names: Class names by id.
        least_texts: Least number of texts that hold a word; None takes 0.5% of the texts, and at
            least 3.
        most: Number of words per class.
    """
    totals: dict[str, FloatArray] = {}
    counts: Counter[str] = Counter()
    holding: Counter[str] = Counter()
    read = cut = 0
    for parts in texts:
        of_class = cam.scores(parts, layer)
        by_class = [cam.words(parts, of_class[label]) for label in range(len(label_names))]
        for versions in zip(*by_class, strict=True):
            word = versions[0].text.lower()
            values = np.array([version.score for version in versions])
            totals[word] = totals[word] + values if word in totals else values
            counts[word] += 1
        holding.update({word.text.lower() for word in by_class[0]})
        read += 1
        cut += parts.cut
    least = max(_FEWEST, round(_SHARE * read)) if least_texts is None else least_texts
    ranked = {}
    for label, name in enumerate(label_names):
        rows = [
            WordMean(word, float(total[label]) / counts[word], counts[word], holding[word])
            for word, total in totals.items()
            if holding[word] >= least
        ]
        ranked[name] = sorted(rows, key=lambda row: (-row.mean, row.word))[:most]
    return Aggregate(ranked, read, cut, least)


def bar_chart(ranked: dict[str, list[WordMean]], title: str, path: Path, most: int = 20) -> None:
    """Draw the first words of each class as bars.

    Each class has a panel.

    Args:
        ranked: Ranked words of an `Aggregate`.
        title: Title above the panels.
        path: Path of the picture; its ending names the format.
        most: Number of bars a panel.
    """
    from matplotlib.figure import Figure

    fonts = lettering.fonts()
    columns = min(3, len(ranked))
    rows = -(-len(ranked) // columns)
    figure = Figure(figsize=(4.2 * columns, 0.8 + 0.27 * most * rows), layout="constrained")
    figure.suptitle(title)
    # Figures without pyplot: no state is shared, and nothing needs to be closed.
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for number, (panel, (name, words)) in enumerate(zip(panels, ranked.items(), strict=False)):
        shown = words[:most][::-1]
        panel.barh(
            range(len(shown)),
            [row.mean for row in shown],
            color=COLOURS[number % len(COLOURS)],
            height=0.7,
        )
        names = [row.word for row in shown]
        panel.set_yticks(range(len(shown)), names, fontsize=8, family=fonts)
        panel.set_title(name)
        panel.set_xlabel("mean score of the word for this class", fontsize=8)
        panel.locator_params(axis="x", nbins=5)  # more would touch one another
        panel.tick_params(axis="x", labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    for panel in panels[len(ranked) :]:
        panel.set_visible(False)
    lettering.save(figure, path, dpi=130)
