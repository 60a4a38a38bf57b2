"""Mean of an encoder's output over the tokens of a text.

Case (h) of Lee's table 1.
"""

from trainables.engine.features.pooled_encoder import PooledEncoder

REPRESENTATION = PooledEncoder(
    about="the encoder's output, mean over tokens",
    layer="output",
    pooling="mean",
    paper=("h", 0.969),
)
