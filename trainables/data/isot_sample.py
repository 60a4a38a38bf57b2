"""A random 5% of ISOT, published in a repository of its own.

26 rows have a title only: the text is missing, --drop-missing leaves them out.
"""

from __future__ import annotations

from trainables.engine.datasets.dataset_card import DatasetCard

DATASET = DatasetCard(
    name="isot_sample",
    about="fake news, 2 classes, 2,245 articles",
    classes=("real", "fake"),
    citation=(
        "Ahmed, Traore and Saad, Detection of Online Fake News Using N-Gram Analysis, ISDDC 2017"
    ),
    licence="not stated by the source",
    hub_id=None,
    cleaned=("reuters-prefix",),
    obtain="It is data_sample/ of github.com/omertol/fake-news-detection.",
)
