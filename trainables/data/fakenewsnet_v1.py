"""FakeNewsNet of 2017: news articles checked by BuzzFeed and PolitiFact.

2 rows have no text: --drop-missing leaves them out.
"""

from __future__ import annotations

from trainables.engine.datasets.dataset_card import DatasetCard

DATASET = DatasetCard(
    name="fakenewsnet_v1",
    about="fake news, 2 classes, 422 articles",
    classes=("real", "fake"),
    citation=(
        "Shu et al., Fake News Detection on Social Media: A Data Mining Perspective, SIGKDD "
        "Explorations 2017"
    ),
    licence="not stated; the source asks for citation",
    hub_id=None,
    obtain="It is the branch old-version of github.com/KaiDMML/FakeNewsNet.",
)
