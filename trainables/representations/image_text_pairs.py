"""Embeddings of two texts and two images, as CLIP's towers give them.

Section 4 of Team Noir at Factify 2 (Zhang et al., De-Factify 2023).
"""

from trainables.engine.features.pair_embeddings import PairEmbeddings

REPRESENTATION = PairEmbeddings(about="texts and images of a pair, side by side")
