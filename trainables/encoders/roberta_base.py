"""RoBERTa base: 12 layers, 768 wide; the TripleEntropy paper's RB."""

from __future__ import annotations

from trainables.engine.models.pretrained import EncoderCard

ENCODER = EncoderCard(
    name="roberta-base",
    hub_id="FacebookAI/roberta-base",
    parameters=124_645_632,
    licence="MIT",
    about="RoBERTa base: 12 layers, 768 wide; the TripleEntropy paper's RB",
)
