"""The winner put to use: promote, model card, predict, rows of a file."""
