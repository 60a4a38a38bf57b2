"""GoEmotions: 27 emotions in Reddit comments, rows with exactly one emotion.

Comments with several emotions, and neutral ones, are left out, as in the paper on label-aware
contrastive loss (27 labels).
"""

from __future__ import annotations

from trainables.engine.datasets.dataset_card import DatasetCard

DATASET = DatasetCard(
    name="goemotions",
    about="emotions, 27 classes, 29k comments with one emotion",
    classes=(
        "admiration",
        "amusement",
        "anger",
        "annoyance",
        "approval",
        "caring",
        "confusion",
        "curiosity",
        "desire",
        "disappointment",
        "disapproval",
        "disgust",
        "embarrassment",
        "excitement",
        "fear",
        "gratitude",
        "grief",
        "joy",
        "love",
        "nervousness",
        "optimism",
        "pride",
        "realization",
        "relief",
        "remorse",
        "sadness",
        "surprise",
    ),
    citation="Demszky et al., GoEmotions: A Dataset of Fine-Grained Emotions, ACL 2020",
    licence="Apache 2.0",
    hub_id="google-research-datasets/go_emotions",
    hub_config="simplified",
    label="labels",
    leave_out=("multi", "neutral"),
)
