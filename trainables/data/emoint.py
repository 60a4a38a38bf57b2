"""EmoInt (WASSA 2017): emotion of tweets.

Columns as seen in public code that loads it; not checked against the live hub. The same tweet may
stand under several emotions.
"""

from __future__ import annotations

from trainables.engine.datasets.dataset_card import DatasetCard

DATASET = DatasetCard(
    name="emoint",
    about="emotions, 4 classes, 7.1k tweets",
    classes=("anger", "fear", "joy", "sadness"),
    citation="Mohammad and Bravo-Marquez, WASSA-2017 Shared Task on Emotion Intensity, WASSA 2017",
    licence="not stated by the source",
    hub_id="stepp1/tweet_emotion_intensity",
    text="tweet",
    label="class",
)
