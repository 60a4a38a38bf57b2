"""One driver for each sweep, and each cell trained by one sweep."""
