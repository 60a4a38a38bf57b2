"""An encoder's output at the first token, [CLS] of a BERT."""

from trainables.engine.features.pooled_encoder import PooledEncoder

REPRESENTATION = PooledEncoder(
    about="the encoder's output at the first token", layer="output", pooling="first"
)
