"""Encoders by alias, one a file; the listing is the contents."""
