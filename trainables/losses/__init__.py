"""Losses, one a file; the listing is the contents."""
