"""Rows -> batches: tokens, cached states, views, metadata."""
