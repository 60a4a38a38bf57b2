"""The gate for pretrained models: files, kind, weights, tokenizer, lengths.

`trainables/engine/models/pretrained.py` sends every folder and hub id through it. It knows nothing
of references: a check is told how a model is called, and raises a ModelError.
"""
