"""IMDb: sentiment of whole film reviews."""

from __future__ import annotations

from trainables.engine.datasets.dataset_card import DatasetCard

DATASET = DatasetCard(
    name="imdb",
    about="sentiment of film reviews, 2 classes, 50k long texts",
    classes=("negative", "positive"),
    citation="Maas et al., Learning Word Vectors for Sentiment Analysis, ACL 2011",
    licence="none stated; the source asks for citation",
    hub_id="stanfordnlp/imdb",
    hub_parts=(("train", "train"), ("test", "test")),
)
