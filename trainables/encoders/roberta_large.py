"""RoBERTa large: 24 layers, 1024 wide; the TripleEntropy paper's RL."""

from __future__ import annotations

from trainables.engine.models.pretrained import EncoderCard

ENCODER = EncoderCard(
    name="roberta-large",
    hub_id="FacebookAI/roberta-large",
    parameters=355_359_744,
    licence="MIT",
    about="RoBERTa large: 24 layers, 1024 wide; the TripleEntropy paper's RL",
)
