"""SST-2: sentiment of phrases and sentences of film reviews, as in GLUE.

GLUE hides its test labels, so that on the hub the validation part is the official test part; a
local sst2.parquet may carry the Stanford test sentences.
"""

from __future__ import annotations

from trainables.engine.datasets.dataset_card import DatasetCard

DATASET = DatasetCard(
    name="sst2",
    about="sentiment of film reviews, 2 classes, 67k phrases and sentences",
    classes=("negative", "positive"),
    citation=(
        "Socher et al., Recursive Deep Models for Semantic Compositionality Over a Sentiment "
        "Treebank, EMNLP 2013; Wang et al., GLUE, ICLR 2019"
    ),
    licence="not stated by the source",
    hub_id="nyu-mll/glue",
    hub_config="sst2",
    hub_parts=(("train", "train"), ("validation", "test")),
    text="sentence",
    training=("train",),
)
