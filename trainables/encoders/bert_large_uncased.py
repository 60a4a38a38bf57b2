"""BERT large: 24 layers, 1024 wide."""

from __future__ import annotations

from trainables.engine.models.pretrained import EncoderCard

ENCODER = EncoderCard(
    name="bert-large-uncased",
    hub_id="google-bert/bert-large-uncased",
    parameters=335_141_888,
    licence="Apache-2.0",
    about="BERT large: 24 layers, 1024 wide",
)
