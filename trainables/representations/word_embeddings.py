"""Mean of an encoder's word embeddings over a text's tokens.

Case (g) of Lee's table 1.
"""

from trainables.engine.features.pooled_encoder import PooledEncoder

REPRESENTATION = PooledEncoder(
    about="the encoder's word embeddings alone, mean over tokens",
    layer="embeddings",
    pooling="mean",
    paper=("g", 0.886),
)
