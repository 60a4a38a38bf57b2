"""Representations of texts, one a file; each defines REPRESENTATION."""
