"""Trainables: how one stack of cells is trained.

Nothing here knows Ray or MLflow.
"""
