"""Metrics of one cell, one a file; the listing is the contents."""
