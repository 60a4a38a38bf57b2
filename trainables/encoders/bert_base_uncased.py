"""BERT base: 12 layers, 768 wide; used by Lee and for tweets."""

from __future__ import annotations

from trainables.engine.models.pretrained import EncoderCard

ENCODER = EncoderCard(
    name="bert-base-uncased",
    hub_id="google-bert/bert-base-uncased",
    parameters=109_482_240,
    licence="Apache-2.0",
    about="BERT base: 12 layers, 768 wide; the CAM and the tweet papers' encoder",
)
