"""Losses, one a file.

A trainable imports the losses that it can train with. To search a loss, make it a field of that
trainable's Config and an axis of its space; no registry knows losses.
"""
