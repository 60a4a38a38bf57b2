"""Representations of texts by name: a file each, with a REPRESENTATION."""
