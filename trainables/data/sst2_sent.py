"""SST-2, whole sentences only.

Columns as seen in public code that loads it; not checked against the live hub.
"""

from __future__ import annotations

from trainables.engine.datasets.dataset_card import DatasetCard

DATASET = DatasetCard(
    name="sst2_sent",
    about="sentiment of film reviews, 2 classes, 9,613 whole sentences",
    classes=("negative", "positive"),
    citation=(
        "Socher et al., Recursive Deep Models for Semantic Compositionality Over a Sentiment "
        "Treebank, EMNLP 2013"
    ),
    licence="not stated by the source",
    hub_id="SetFit/sst2",
    label="label_text",
)
