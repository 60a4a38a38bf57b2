"""CR: sentiment of customer reviews of products.

Columns as seen in public code that loads it; not checked against the live hub. The parts on the
hub are the uploader's: the papers cross-validate over all rows.
"""

from __future__ import annotations

from trainables.engine.datasets.dataset_card import DatasetCard

DATASET = DatasetCard(
    name="cr",
    about="sentiment of product reviews, 2 classes, 3.8k sentences",
    classes=("negative", "positive"),
    citation=(
        "Hu and Liu, Mining and Summarizing Customer Reviews, KDD 2004; Conneau and Kiela, "
        "SentEval, LREC 2018"
    ),
    licence="not stated by the source",
    hub_id="SetFit/SentEval-CR",
    label="label_text",
)
