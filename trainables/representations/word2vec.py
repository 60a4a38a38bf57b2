"""Mean of word2vec vectors over the words of a text.

Case (e) of Lee's table 1.

The Config's `word2vec` names the vectors: gensim's word2vec-google-news-300 (1.7 GB), or a file.
"""

from trainables.engine.features.averaged_words import AveragedWords

REPRESENTATION = AveragedWords(about="mean of word2vec vectors over words", paper=("e", 0.888))
