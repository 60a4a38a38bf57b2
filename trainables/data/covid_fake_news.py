"""COVID-19 fake news in posts (Constraint, AAAI 2021).

Columns as seen in public code that loads it; not checked against the live hub.
"""

from __future__ import annotations

from trainables.engine.datasets.dataset_card import DatasetCard

DATASET = DatasetCard(
    name="covid_fake_news",
    about="fake news, 2 classes, 10,700 posts",
    classes=("real", "fake"),
    citation="Patwa et al., Fighting an Infodemic: COVID-19 Fake News Dataset, Constraint 2021",
    licence="not stated by the source",
    hub_id="nanyy1025/covid_fake_news",
    text="tweet",
)
