"""TF-IDF of the 300 most frequent words.

Case (b) of Lee's table 1.

Fitted on the training rows of each cell only.
"""

from trainables.engine.features.tfidf import Tfidf

REPRESENTATION = Tfidf(
    about="TF-IDF of the 300 most frequent words",
    ngram=1,
    stop_words=False,
    paper=("b", 0.901),
)
