"""MR: sentiment of sentences of film reviews.

The parts on the hub are the uploader's: the papers cross-validate over all rows.
"""

from __future__ import annotations

from trainables.engine.datasets.dataset_card import DatasetCard

DATASET = DatasetCard(
    name="mr",
    about="sentiment of film reviews, 2 classes, 10,662 sentences",
    classes=("negative", "positive"),
    citation=(
        "Pang and Lee, Seeing Stars: Exploiting Class Relationships for Sentiment "
        "Categorization, ACL 2005"
    ),
    licence="CC BY 4.0 (the copy in nltk_data)",
    hub_id="cornell-movie-review-data/rotten_tomatoes",
)
