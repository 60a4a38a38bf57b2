"""TREC question classification, coarse classes.

Columns as seen in public code that loads it; not checked against the live hub.
"""

from __future__ import annotations

from trainables.engine.datasets.dataset_card import DatasetCard

DATASET = DatasetCard(
    name="trec",
    about="question types, 6 classes, 5,452 questions (all parts: 5,952)",
    classes=("ABBR", "ENTY", "DESC", "HUM", "LOC", "NUM"),
    citation="Li and Roth, Learning Question Classifiers, COLING 2002",
    licence="not stated by the source",
    hub_id="SetFit/TREC-QC",
    label="label_coarse_original",
    training=("train",),
)
