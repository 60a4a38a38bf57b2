"""TF-IDF of the 300 most frequent pairs of words.

Case (d) of Lee's table 1.

Fitted on the training rows of each cell only.
"""

from trainables.engine.features.tfidf import Tfidf

REPRESENTATION = Tfidf(
    about="TF-IDF of the 300 most frequent pairs of words",
    ngram=2,
    stop_words=False,
    paper=("d", 0.887),
)
