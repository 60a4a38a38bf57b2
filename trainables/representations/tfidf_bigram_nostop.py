"""TF-IDF of the 300 most frequent word pairs without stop words.

Case (c) of Lee's table 1.

Fitted on the training rows of each cell only.
"""

from trainables.engine.features.tfidf import Tfidf

REPRESENTATION = Tfidf(
    about="TF-IDF of the 300 most frequent pairs of words, English stop words removed before",
    ngram=2,
    stop_words=True,
    paper=("c", 0.891),
)
