"""Data sets by name, one a file; the listing is the contents."""
