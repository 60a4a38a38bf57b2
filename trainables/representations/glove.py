"""Mean of GloVe vectors over the words of a text.

Case (f) of Lee's table 1.

The Config's `glove` names the vectors: gensim's glove-wiki-gigaword-300 (0.4 GB), or a file.
"""

from trainables.engine.features.averaged_words import AveragedWords

REPRESENTATION = AveragedWords(about="mean of GloVe vectors over words", paper=("f", 0.89))
