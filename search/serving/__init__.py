"""The winner in use: promote, model card, predict, input rows."""
