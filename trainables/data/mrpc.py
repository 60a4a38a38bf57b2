"""MRPC: do two sentences say the same? Pairs.

The hub's classes are called not_equivalent and equivalent there; the names here are those of the
corpus.
"""

from __future__ import annotations

from trainables.engine.datasets.dataset_card import DatasetCard

DATASET = DatasetCard(
    name="mrpc",
    about="paraphrases, 2 classes, 4,076 pairs of sentences (all parts: 5,801)",
    classes=("not_paraphrase", "paraphrase"),
    citation=(
        "Dolan and Brockett, Automatically Constructing a Corpus of Sentential Paraphrases, "
        "IWP 2005"
    ),
    licence="terms of the Microsoft corpus",
    hub_id="nyu-mll/glue",
    hub_config="mrpc",
    hub_classes=("not_paraphrase", "paraphrase"),
    text="sentence1",
    text_b="sentence2",
    training=("train", "valid"),
)
