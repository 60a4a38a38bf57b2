"""ISEAR: situations in which people felt one of seven emotions.

Columns as seen in public code that loads it; not checked against the live hub.
"""

from __future__ import annotations

from trainables.engine.datasets.dataset_card import DatasetCard

DATASET = DatasetCard(
    name="isear",
    about="emotions, 7 classes, 7.7k reports",
    classes=("joy", "fear", "anger", "sadness", "disgust", "shame", "guilt"),
    citation=(
        "Scherer and Wallbott, Evidence for Universality and Cultural Variation of "
        "Differential Emotion Response Patterning, JPSP 1994"
    ),
    licence="CC BY-NC-SA 3.0 (as stated by users of the source)",
    hub_id="gsri-18/ISEAR-dataset-complete",
    text="content",
    label="emotion",
)
