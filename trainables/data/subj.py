"""SUBJ: subjective or objective sentences about films.

Columns as seen in public code that loads it; not checked against the live hub. The parts on the
hub are the uploader's: the papers cross-validate over all rows.
"""

from __future__ import annotations

from trainables.engine.datasets.dataset_card import DatasetCard

DATASET = DatasetCard(
    name="subj",
    about="subjectivity, 2 classes, 10k sentences",
    classes=("objective", "subjective"),
    citation=(
        "Pang and Lee, A Sentimental Education: Sentiment Analysis Using Subjectivity "
        "Summarization, ACL 2004"
    ),
    licence="not stated by the source",
    hub_id="SetFit/subj",
    label="label_text",
)
