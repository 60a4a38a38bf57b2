"""ELECTRA base discriminator: 12 layers, 768 wide; the LCL paper's encoder."""

from __future__ import annotations

from trainables.engine.models.pretrained import EncoderCard

ENCODER = EncoderCard(
    name="electra-base",
    hub_id="google/electra-base-discriminator",
    parameters=108_891_648,
    licence="Apache-2.0",
    about="ELECTRA base discriminator: 12 layers, 768 wide; the LCL paper's encoder",
)
