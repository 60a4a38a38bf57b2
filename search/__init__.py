"""WHO decides, WHERE it runs, WHAT is written down."""
