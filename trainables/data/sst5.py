"""SST-5: sentiment of film reviews in five grades.

Columns as seen in public code that loads it; not checked against the live hub.
"""

from __future__ import annotations

from trainables.engine.datasets.dataset_card import DatasetCard

DATASET = DatasetCard(
    name="sst5",
    about="sentiment of film reviews, 5 grades, 11,855 sentences",
    classes=("very negative", "negative", "neutral", "positive", "very positive"),
    citation=(
        "Socher et al., Recursive Deep Models for Semantic Compositionality Over a Sentiment "
        "Treebank, EMNLP 2013"
    ),
    licence="not stated by the source",
    hub_id="SetFit/sst5",
    label="label_text",
)
