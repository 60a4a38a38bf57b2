"""Factify 2: does a document support, refute or leave open a claim? Pairs of texts.

The shared task gives the data out on request. Its images are no part of these columns.
"""

from __future__ import annotations

from trainables.engine.card import DatasetCard

DATASET = DatasetCard(
    name="factify2",
    about="claims against documents, 5 classes, 50k pairs (on request)",
    classes=(
        "Support_Multimodal",
        "Support_Text",
        "Insufficient_Multimodal",
        "Insufficient_Text",
        "Refute",
    ),
    citation=(
        "Suryavardan et al., Factify 2: A Multimodal Fake News and Satire News Dataset, "
        "De-Factify 2023"
    ),
    licence="on request from the organisers",
    hub_id=None,
    text_b="text_b",
    obtain="Ask the organisers of the De-Factify workshop for it.",
)
