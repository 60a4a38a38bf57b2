"""ISOT: true and fake news articles, as in Lee's paper.

Columns as seen in public code that loads it; not checked against the live hub. It has fewer rows
than the 44,898 of the source. Nearly all real articles hold "(Reuters)", which gives the label
away; the paper removes it.
"""

from __future__ import annotations

from trainables.engine.datasets.dataset_card import DatasetCard

DATASET = DatasetCard(
    name="isot",
    about="fake news, 2 classes, 44k articles",
    classes=("real", "fake"),
    citation=(
        "Ahmed, Traore and Saad, Detection of Online Fake News Using N-Gram Analysis, ISDDC 2017"
    ),
    licence="not stated by the source",
    hub_id="ErfanMoosaviMonazzah/fake-news-detection-dataset-English",
    hub_classes=("fake", "real"),
    cleaned=("reuters-prefix",),
)
