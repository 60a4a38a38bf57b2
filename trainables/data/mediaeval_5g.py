"""MediaEval 2020 FakeNews: conspiracies about 5G in tweets on the corona virus.

The task gives the data out on request.
"""

from __future__ import annotations

from trainables.engine.datasets.dataset_card import DatasetCard

DATASET = DatasetCard(
    name="mediaeval_5g",
    about="conspiracies in tweets, 3 classes (on request)",
    classes=("5g-conspiracy", "other-conspiracy", "non-conspiracy"),
    citation="Pogorelov et al., FakeNews: Corona Virus and 5G Conspiracy Task at MediaEval 2020",
    licence="on request from the organisers",
    hub_id=None,
    obtain="Ask the organisers of the MediaEval FakeNews task for it.",
)
