"""DistilBERT base: 6 layers, 768 wide."""

from __future__ import annotations

from trainables.engine.models.pretrained import EncoderCard

ENCODER = EncoderCard(
    name="distilbert-base-uncased",
    hub_id="distilbert/distilbert-base-uncased",
    parameters=66_362_880,
    licence="Apache-2.0",
    about="DistilBERT base: 6 layers, 768 wide",
)
