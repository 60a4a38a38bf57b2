"""TF-IDF of the 300 most frequent words without stop words.

Case (a) of Lee's table 1.

Fitted on the training rows of each cell only.
"""

from trainables.engine.features.tfidf import Tfidf

REPRESENTATION = Tfidf(
    about="TF-IDF of the 300 most frequent words, English stop words removed",
    ngram=1,
    stop_words=True,
    paper=("a", 0.892),
)
