"""MPQA: polarity of opinion phrases.

Columns as seen in public code that loads it; not checked against the live hub.
"""

from __future__ import annotations

from trainables.engine.datasets.dataset_card import DatasetCard

DATASET = DatasetCard(
    name="mpqa",
    about="polarity of opinions, 2 classes, 10.6k phrases of 3 words",
    classes=("negative", "positive"),
    citation=(
        "Wiebe, Wilson and Cardie, Annotating Expressions of Opinions and Emotions in "
        "Language, LRE 2005; Conneau and Kiela, SentEval, LREC 2018"
    ),
    licence="not stated by the source",
    hub_id="rahulsikder223/SentEval-MPQA",
    hub_classes=("negative", "positive"),
    text="sentence",
)
