"""LIAR: truth of short political statements, six grades."""

from __future__ import annotations

from trainables.engine.datasets.dataset_card import DatasetCard

DATASET = DatasetCard(
    name="liar",
    about="truth of statements, 6 grades, 12.8k statements",
    classes=("pants-fire", "false", "barely-true", "half-true", "mostly-true", "true"),
    citation=(
        'Wang, "Liar, Liar Pants on Fire": A New Benchmark Dataset for Fake News Detection, '
        "ACL 2017"
    ),
    licence="for research purposes only, as is",
    hub_id="ucsbnlp/liar",
    hub_revision="refs/convert/parquet",
    text="statement",
)
